//! Objects: listed, read, created, applied, deleted.

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::cluster::{ANSWER, Cluster, LARGEST, get, read};
use crate::error::said;
use crate::kind::segment;
use crate::{Error, Kind, MissingRight, Seen};

/// Who the fields belong to that Railhead applies.
const MANAGER: &str = "railhead";
/// Objects a page of a list; each may have a megabyte, and a page is held in memory.
const PAGE: usize = 100;

/// Where the kind of a manifest is kept.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
}

/// What came of applying a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object as the cluster has it now, or would have it.
    pub object: Value,
    /// Whether it was made.
    pub created: bool,
}

impl Cluster {
    /// All objects of a kind, of one namespace or of all, each with its `apiVersion` and `kind`.
    pub async fn list(&self, kind: &Kind, namespace: Option<&str>) -> Result<Seen<Vec<Value>>, Error> {
        self.list_where(kind, namespace, "").await
    }

    /// The same, of those that a query selects: `labelSelector=owner%3Dhelm`, percent-encoded.
    pub async fn list_where(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        query: &str,
    ) -> Result<Seen<Vec<Value>>, Error> {
        let act = act("list", kind, namespace, None);
        for version in kind.versions {
            match self.pages(&act, kind, version, namespace, query).await? {
                Seen::Absent => {}
                // Rights are looked at before kinds: who may not list what is not there hears of the right.
                Seen::Denied(_) if !self.has(kind, version).await? => {}
                seen => return Ok(seen),
            }
        }
        Ok(Seen::Absent)
    }

    /// Whether the cluster has a kind, which everybody may know.
    async fn has(&self, kind: &Kind, version: &str) -> Result<bool, Error> {
        let api_version = kind.api_version(version);
        let act = format!("ask for the kinds of {api_version}");
        let answer = self.exchange(&act, get(&root(&api_version)), LARGEST, ANSWER).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        if !answer.status.is_success() {
            return Ok(true);
        }
        let list = read(&act, &answer.body)?;
        let resources = list.get("resources").and_then(Value::as_array);
        Ok(resources.is_none_or(|all| all.iter().any(|resource| resource["name"] == kind.plural)))
    }

    async fn pages(
        &self,
        act: &str,
        kind: &Kind,
        version: &str,
        namespace: Option<&str>,
        query: &str,
    ) -> Result<Seen<Vec<Value>>, Error> {
        let path = kind.path(version, namespace);
        let and = if query.is_empty() { "" } else { "&" };
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let from =
                if token.is_empty() { String::new() } else { format!("&continue={}", segment(&token)) };
            let request = get(&format!("{path}?limit={PAGE}{from}{and}{query}"));
            let mut page = match self.seen(act, request, kind, "list", namespace).await? {
                Seen::Found(page) => page,
                Seen::Absent => return Ok(Seen::Absent),
                Seen::Denied(right) => return Ok(Seen::Denied(right)),
            };
            let next = page.pointer("/metadata/continue").and_then(Value::as_str);
            next.unwrap_or_default().clone_into(&mut token);
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                return Err(Error::Answer { act: act.to_owned(), why: "it is no list".to_owned() });
            };
            // A list says it once for all of its objects.
            all.extend(items.into_iter().map(|mut item| {
                if let Some(object) = item.as_object_mut() {
                    object.insert("apiVersion".to_owned(), kind.api_version(version).into());
                    object.insert("kind".to_owned(), kind.name.into());
                }
                item
            }));
            if token.is_empty() {
                return Ok(Seen::Found(all));
            }
        }
    }

    /// One object.
    pub async fn get(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Result<Seen<Value>, Error> {
        let act = act("get", kind, namespace, Some(name));
        for version in kind.versions {
            let request = get(&format!("{}/{}", kind.path(version, namespace), segment(name)));
            match self.seen(&act, request, kind, "get", namespace).await? {
                Seen::Absent => {}
                seen => return Ok(seen),
            }
        }
        Ok(Seen::Absent)
    }

    /// Asks for JSON where a missing right and a missing object are answers.
    async fn seen(
        &self,
        act: &str,
        request: http::Result<Request<Vec<u8>>>,
        kind: &Kind,
        verb: &str,
        namespace: Option<&str>,
    ) -> Result<Seen<Value>, Error> {
        let answer = self.exchange(act, request, LARGEST, ANSWER).await?;
        match answer.status {
            status if status.is_success() => read(act, &answer.body).map(Seen::Found),
            StatusCode::NOT_FOUND => Ok(Seen::Absent),
            StatusCode::FORBIDDEN => {
                let right = MissingRight::read(&said(&answer.body)).unwrap_or_else(|| MissingRight {
                    verb: verb.to_owned(),
                    group: kind.group.to_owned(),
                    resource: kind.plural.to_owned(),
                    namespace: namespace.map(str::to_owned),
                });
                Ok(Seen::Denied(right))
            }
            status => Err(Error::of(act.to_owned(), self.server(), status, &answer.body)),
        }
    }

    /// Creates an object; what is there already is [`Error::Conflict`].
    pub async fn create(&self, manifest: &Value) -> Result<Value, Error> {
        let at = self.place(manifest).await?;
        let request = body(Method::POST, &at.collection, "application/json", manifest);
        self.json(&format!("create {}", at.words), request).await
    }

    /// Makes an object as the manifest says (server-side apply), taking over the fields that it names. With `dry_run` the API
    /// server checks all of it and keeps nothing.
    pub async fn apply(&self, manifest: &Value, dry_run: bool) -> Result<Applied, Error> {
        let at = self.place(manifest).await?;
        let name = at.name.as_deref().ok_or(Error::Manifest("metadata.name"))?;
        let dry = if dry_run { "&dryRun=All" } else { "" };
        let path = format!("{}/{}?fieldManager={MANAGER}&force=true{dry}", at.collection, segment(name));
        // JSON is YAML.
        let request = body(Method::PATCH, &path, "application/apply-patch+yaml", manifest);
        let act = format!("{} {}", if dry_run { "try" } else { "apply" }, at.words);
        let answer = self.exchange(&act, request, LARGEST, ANSWER).await?;
        if !answer.status.is_success() {
            return Err(Error::of(act, self.server(), answer.status, &answer.body));
        }
        Ok(Applied { object: read(&act, &answer.body)?, created: answer.status == StatusCode::CREATED })
    }

    /// Deletes an object and what belongs to it; whether it was there.
    pub async fn delete(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Result<bool, Error> {
        self.delete_within(kind, namespace, name, None).await
    }

    /// The same with the seconds that a pod gets to end.
    pub async fn delete_within(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        seconds: Option<u32>,
    ) -> Result<bool, Error> {
        let act = act("delete", kind, namespace, Some(name));
        let mut options =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        if let Some(seconds) = seconds {
            options["gracePeriodSeconds"] = seconds.into();
        }
        for version in kind.versions {
            let path = format!("{}/{}", kind.path(version, namespace), segment(name));
            let request = body(Method::DELETE, &path, "application/json", &options);
            let answer = self.exchange(&act, request, LARGEST, ANSWER).await?;
            match answer.status {
                status if status.is_success() => return Ok(true),
                StatusCode::NOT_FOUND => {}
                status => return Err(Error::of(act, self.server(), status, &answer.body)),
            }
        }
        Ok(false)
    }

    /// Where a manifest's object is kept.
    async fn place(&self, manifest: &Value) -> Result<Place, Error> {
        let text =
            |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let api_version = text("/apiVersion").ok_or(Error::Manifest("apiVersion"))?;
        let kind = text("/kind").ok_or(Error::Manifest("kind"))?;
        let resource = self.resource(api_version, kind).await?;
        let namespace = text("/metadata/namespace").unwrap_or(self.namespace());
        let root = root(api_version);
        let collection = if resource.namespaced {
            format!("{root}/namespaces/{}/{}", segment(namespace), resource.plural)
        } else {
            format!("{root}/{}", resource.plural)
        };
        let name = text("/metadata/name").map(str::to_owned);
        let within =
            if resource.namespaced { format!(" in the namespace {namespace}") } else { String::new() };
        let words = format!("{kind} {}{within}", name.as_deref().unwrap_or("of a new name"));
        Ok(Place { collection, name, words })
    }

    /// Asks once where a kind is kept.
    async fn resource(&self, api_version: &str, kind: &str) -> Result<Resource, Error> {
        let key = (api_version.to_owned(), kind.to_owned());
        let known = self.resources.lock().ok().and_then(|known| known.get(&key).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let act = format!("ask for the kinds of {api_version}");
        let answer = self.exchange(&act, get(&root(api_version)), LARGEST, ANSWER).await?;
        let none = || Error::NoKind { kind: kind.to_owned(), api_version: api_version.to_owned() };
        if answer.status == StatusCode::NOT_FOUND {
            return Err(none());
        }
        if !answer.status.is_success() {
            return Err(Error::of(act, self.server(), answer.status, &answer.body));
        }
        let list = read(&act, &answer.body)?;
        let resources = list.get("resources").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let of_kind = resources.iter().find_map(|resource| {
            let plural = resource["name"].as_str().filter(|name| !name.contains('/'))?;
            let namespaced = resource["namespaced"].as_bool().unwrap_or(true);
            (resource["kind"] == kind).then(|| Resource { plural: plural.to_owned(), namespaced })
        });
        let found = of_kind.ok_or_else(none)?;
        if let Ok(mut known) = self.resources.lock() {
            known.insert(key, found.clone());
        }
        Ok(found)
    }
}

struct Place {
    collection: String,
    name: Option<String>,
    words: String,
}

fn root(api_version: &str) -> String {
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    let parts: Vec<String> = api_version.split('/').map(segment).collect();
    format!("{root}/{}", parts.join("/"))
}

fn body(method: Method, path: &str, media: &str, value: &Value) -> http::Result<Request<Vec<u8>>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::CONTENT_TYPE, media)
        .body(value.to_string().into_bytes())
}

/// `list secrets in the namespace team`.
pub(crate) fn act(verb: &str, kind: &Kind, namespace: Option<&str>, name: Option<&str>) -> String {
    let what = name.map_or_else(|| kind.plural.to_owned(), |name| format!("{} {name}", kind.name));
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!("{verb} {what} in the namespace {namespace}"),
        None => format!("{verb} {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use crate::testing::{Fake, Said, status};

    #[tokio::test]
    async fn a_list_is_read_to_its_end_and_its_objects_say_what_they_are() {
        let fake = Fake::start(|request| match request.query.as_str() {
            "limit=100&labelSelector=a" => Said::json(
                200,
                &json!({"metadata": {"continue": "more=1"}, "items": [{"metadata": {"name": "a"}}]}),
            ),
            "limit=100&continue=more%3D1&labelSelector=a" => {
                Said::json(200, &json!({"metadata": {}, "items": [{"metadata": {"name": "b"}}]}))
            }
            other => panic!("{other}"),
        })
        .await;
        let found = fake.cluster().await.list_where(&kinds::INGRESS, None, "labelSelector=a").await.unwrap();
        let names: Vec<String> = found
            .found()
            .unwrap()
            .iter()
            .map(|item| format!("{} {}", item["kind"], item["metadata"]["name"]))
            .collect();
        assert_eq!(names, ["\"Ingress\" \"a\"", "\"Ingress\" \"b\""]);
    }

    #[tokio::test]
    async fn a_missing_right_and_a_missing_kind_are_answers() {
        let fake = Fake::start(|request| match request.path.as_str() {
            "/api/v1/secrets" => Said::json(403, &status(403, r#"secrets is forbidden: User "u" cannot list resource "secrets" in API group "" at the cluster scope"#)),
            "/api/v1" => Said::json(200, &json!({"resources": [{"name": "secrets"}]})),
            "/apis/traefik.io/v1alpha1/ingressroutes" => Said::json(403, &status(403, r#"x is forbidden: User "u" cannot list resource "ingressroutes" in API group "traefik.io" at the cluster scope"#)),
            "/apis/gateway.networking.k8s.io/v1beta1/httproutes" => Said::json(200, &json!({"items": []})),
            "/api/v1/pods" => Said::json(500, &status(500, "etcdserver: request timed out")),
            "/api/v1/nodes" => Said::json(401, &status(401, "Unauthorized")),
            _ => Said::json(404, &status(404, "the server could not find the requested resource")),
        })
        .await;
        let cluster = fake.cluster().await;
        let denied = cluster.list(&kinds::SECRET, None).await.unwrap();
        assert_eq!(denied.denied().unwrap().to_string(), "list secrets in the whole cluster");
        assert_eq!(cluster.list(&kinds::CERTIFICATE, None).await.unwrap(), Seen::Absent);
        assert_eq!(cluster.list(&kinds::INGRESS_ROUTE, None).await.unwrap(), Seen::Absent);
        assert_eq!(cluster.list(&kinds::HTTP_ROUTE, None).await.unwrap(), Seen::Found(Vec::new()));
        let error = cluster.list(&kinds::POD, None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot list pods: the API server answers 500 Internal Server Error: etcdserver: request timed out"
        );
        assert!(matches!(cluster.list(&kinds::NODE, None).await.unwrap_err(), Error::Unauthenticated { .. }));
    }

    #[tokio::test]
    async fn a_server_that_goes_away_in_the_middle_is_an_error_and_no_short_list() {
        let fake = Fake::start(|request| {
            if request.query.contains("continue") {
                Said::Broken
            } else {
                Said::json(200, &json!({"metadata": {"continue": "x"}, "items": [{}]}))
            }
        })
        .await;
        let error = fake.cluster().await.list(&kinds::POD, Some("team")).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with("cannot list pods in the namespace team: the API server at http://127.0.0.1:")
        );
        let nobody = fake.stop().await;
        let error = nobody.list(&kinds::POD, None).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("refused"), "{source}");
    }

    #[tokio::test]
    async fn a_manifest_is_applied_where_its_kind_is_kept() {
        let fake = Fake::start(|request| match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/apis/networking.k8s.io/v1") => Said::json(
                200,
                &json!({"resources": [
                {"name": "ingresses/status", "kind": "Ingress", "namespaced": true},
                {"name": "ingresses", "kind": "Ingress", "namespaced": true}]}),
            ),
            ("PATCH", "/apis/networking.k8s.io/v1/namespaces/team/ingresses/v2") => {
                assert_eq!(request.query, "fieldManager=railhead&force=true&dryRun=All");
                Said::json(201, &json!({"kind": "Ingress"}))
            }
            _ => Said::json(404, &status(404, "not found")),
        })
        .await;
        let cluster = fake.cluster().await;
        let manifest = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "v2", "namespace": "team"}});
        assert!(cluster.apply(&manifest, true).await.unwrap().created);
        let unknown =
            json!({"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": "v2"}});
        assert!(matches!(cluster.apply(&unknown, true).await.unwrap_err(), Error::NoKind { .. }));
        assert!(!cluster.delete(&kinds::INGRESS, Some("team"), "gone").await.unwrap());
    }
}
