//! What an inspection found, as answers for a first site file.
//!
//! Invariant: what was answered before stays; what the reader of the site file would refuse is left out.

use railhead_doctor::Layer;
use serde_json::Value as Json;
use toml::Value;

use super::first::Answers;

impl Answers {
    /// Adds what an inspection shows: its evidence, or what `inspect --output json` says. What it cannot know is for a person, a line
    /// each. None where it is no inspection.
    pub fn take_inspection(&mut self, document: &Json) -> Option<Vec<String>> {
        // Evidence has the inspection in its result.
        let inspection = document.get("result").unwrap_or(document);
        let seen = Seen { inspection, inventory: inspection.get("inventory").filter(|one| one.is_object())? };
        for (key, value) in seen.answers() {
            if !self.knows(key) {
                // A name that cannot stand in the file is left to the person.
                let _ = self.put(key, value);
            }
        }
        for layer in Layer::ALL {
            let key = format!("owners.{layer}");
            if let Some(owner) = seen.owner(layer).filter(|_| !self.knows(&key)) {
                let _ = self.put(&key, owner);
            }
        }
        Some(seen.open())
    }
}

/// An inspection.
struct Seen<'a> {
    inspection: &'a Json,
    inventory: &'a Json,
}

impl Seen<'_> {
    fn answers(&self) -> Vec<(&'static str, Value)> {
        let release = &self.inventory["releases"][0];
        let (service, port) = self.service();
        let route = self.route();
        let kind = route.map(|route| part(route, "object").split(' ').next().unwrap_or_default());
        let class = route.map(|route| part(route, "class").to_owned());
        let (class, gateway) = if kind == Some("HTTPRoute") { (None, class) } else { (class, None) };
        let word = match kind {
            Some("Ingress") => Some("ingress"),
            Some("IngressRoute") => Some("ingress-route"),
            Some("HTTPRoute") => Some("http-route"),
            _ => None,
        };
        let chart = release["chart"].as_str().and_then(|chart| chart.rsplit_once('-'));
        let files: Vec<Value> =
            list(release, "files").iter().filter_map(Json::as_str).map(Value::from).collect();
        let sops = list(release, "files").iter().filter_map(Json::as_str).any(|file| file.contains(".sops."));
        let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(Value::from);
        let all = [
            ("site.host", text(self.host().as_deref())),
            ("site.forge", text(self.inventory["forge"]["software"].as_str())),
            ("cluster.context", text(self.inventory["context"].as_str())),
            ("cluster.sops", sops.then_some(Value::from(true))),
            ("release.name", text(release["name"].as_str())),
            ("release.namespace", text(release["namespace"].as_str())),
            ("release.version", text(chart.map(|(_, version)| version))),
            ("release.values", (!files.is_empty()).then(|| files.into())),
            ("release.service", text(service)),
            ("release.port", port.map(Value::from)),
            ("release.route", text(word)),
            ("release.class", text(class.as_deref())),
            ("release.gateway", text(gateway.as_deref())),
            ("release.tls_secret", text(self.secret(route))),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// The host: that of the site file which the inspection was made with, of the route to the forge, or of its own address.
    fn host(&self) -> Option<String> {
        let known = self.inspection["host"].as_str();
        let routed = || self.route().map(|route| part(route, "host")).filter(|host| !host.contains('*'));
        known.or_else(routed).map(str::to_owned).or_else(|| self.address())
    }

    /// The host in the forge's `ROOT_URL`.
    fn address(&self) -> Option<String> {
        let is_address =
            |setting: &&Json| part(setting, "section") == "server" && part(setting, "key") == "ROOT_URL";
        let url = list(self.inventory, "settings").iter().find(is_address)?["value"].as_str()?;
        let (_, rest) = url.split_once("://")?;
        rest.split('/').next().map(str::to_owned)
    }

    /// The forge's service for HTTP, and its port.
    fn service(&self) -> (Option<&str>, Option<i64>) {
        let http = list(self.inventory, "services").iter().find_map(|service| {
            let port = list(service, "ports")
                .iter()
                .filter_map(Json::as_str)
                .find(|port| port.starts_with("http "))?;
            let number = port.split(' ').nth(1)?.parse().ok()?;
            Some((part(service, "name").rsplit('/').next()?, number))
        });
        http.map_or((None, None), |(name, port)| (Some(name), Some(port)))
    }

    /// The route to the forge that is nearest to `/v2`.
    fn route(&self) -> Option<&Json> {
        let own: Vec<&str> =
            list(self.inventory, "services").iter().map(|service| part(service, "name")).collect();
        let leads_here = |route: &&Json| {
            own.contains(&format!("{}/{}", part(route, "namespace"), part(route, "service")).as_str())
        };
        let routes = list(self.inventory, "routes").iter().filter(leads_here);
        routes.max_by_key(|route| match part(route, "path") {
            "/v2" | "/v2/" => 2,
            "/" => 1,
            _ => 0,
        })
    }

    /// The name of the route's Secret, where it is beside the release.
    fn secret<'a>(&self, route: Option<&'a Json>) -> Option<&'a str> {
        let (namespace, name) = route?["secret"].as_str()?.split_once('/')?;
        (self.inventory["releases"][0]["namespace"] == namespace).then_some(name)
    }

    fn owner(&self, layer: Layer) -> Option<&str> {
        let findings = list(self.inspection, "findings").iter();
        findings
            .filter(|finding| part(finding, "layer") == layer.word())
            .find_map(|finding| finding["owner"].as_str())
    }

    /// Ways to the forge whose addresses an inspection does not see.
    fn open(&self) -> Vec<String> {
        let host = self.host().unwrap_or_else(|| "HOST".to_owned());
        let ports = list(self.inventory, "exposed")
            .iter()
            .filter(|one| one["forge"] == true && one["how"] == "NodePort");
        let line = |one: &Json| {
            let (object, port) = (part(one, "object"), &one["port"]);
            format!(
                "{object} is open at port {port} of each node: --route nodeport=http://{host},connect=ADDRESS:{port} makes it a route"
            )
        };
        ports.map(line).collect()
    }
}

fn part<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inspection() -> Json {
        json!({
            "host": null,
            "findings": [{"layer": "storage", "owner": "railiance-platform"}, {"layer": "routing", "owner": null}],
            "inventory": {
                "context": "default",
                "forge": {"software": "gitea"},
                "releases": [{"name": "gitea", "namespace": "default", "chart": "gitea-12.5.0",
                    "files": ["helm/gitea-values.sops.yaml", "helm/more.yaml"]}],
                "settings": [{"section": "server", "key": "ROOT_URL", "value": "http://gitea.coulomb.example/"}],
                "services": [{"name": "default/gitea-ssh", "ports": ["ssh 22"]}, {"name": "default/gitea-http", "ports": ["http 3000 → 32166"]}],
                "routes": [
                    {"host": "gitea.coulomb.example", "path": "/v2", "object": "Ingress default/registry", "class": "traefik",
                        "namespace": "default", "service": "gitea-http", "secret": "default/gitea-tls"},
                    {"host": "other.example", "path": "/v2", "object": "Ingress x/y", "class": "nginx", "namespace": "x", "service": "z"},
                ],
                "exposed": [{"object": "Service default/gitea-http", "how": "NodePort", "port": 32166, "forge": true}],
            },
        })
    }

    #[test]
    fn an_inspection_answers_what_it_has_seen() {
        let mut answers = Answers::default();
        answers.put("release.namespace", "mine").unwrap();
        let open = answers.take_inspection(&inspection()).unwrap();
        assert_eq!(open.len(), 1);
        assert!(open[0].contains("nodeport=http://gitea.coulomb.example,connect=ADDRESS:32166"), "{open:?}");
        let file = answers.file();
        let set: Vec<&str> =
            file.lines().filter(|line| !line.starts_with('#') && line.contains(" = ")).collect();
        insta::assert_snapshot!(set.join("\n"), @r#"
        host = "gitea.coulomb.example"
        forge = "gitea"
        storage = "railiance-platform"
        context = "default"
        sops = true
        name = "gitea"
        namespace = "mine"
        version = "12.5.0"
        values = ["helm/gitea-values.sops.yaml", "helm/more.yaml"]
        service = "gitea-http"
        port = 3000
        route = "ingress"
        class = "traefik"
        tls_secret = "gitea-tls"
        "#);
    }

    #[test]
    fn evidence_is_the_same_and_without_a_route_the_address_counts() {
        let mut inspection = inspection();
        inspection["inventory"]["routes"] = json!([]);
        let mut answers = Answers::default();
        answers.take_inspection(&json!({"kind": "inspection", "result": inspection})).unwrap();
        assert_eq!(answers.text("site.host"), Some("gitea.coulomb.example"));
        assert!(!answers.knows("release.route") && !answers.knows("release.tls_secret"));
    }

    #[test]
    fn what_is_no_inspection_and_what_the_file_would_refuse_is_left_out() {
        for other in [json!({}), json!([1]), json!({"result": {"walks": []}}), json!("x")] {
            let mut answers = Answers::default();
            assert_eq!(answers.take_inspection(&other), None);
            assert_eq!(answers, Answers::default());
        }
        let odd = json!({"inventory": {"context": "a\nb", "forge": {"software": "gogs"}, "releases": [{"name": "--all", "namespace": "x y"}],
            "settings": [{"section": "server", "key": "ROOT_URL", "value": "http://kim:geheim@host/"}]}});
        let mut answers = Answers::default();
        assert_eq!(answers.take_inspection(&odd), Some(Vec::new()));
        assert_eq!(answers, Answers::default());
    }
}
