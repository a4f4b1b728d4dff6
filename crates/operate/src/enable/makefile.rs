//! Targets of make that apply the release, show its state, and apply the route, for those who deploy by hand.
//!
//! Invariant: `helm` is not started when sops cannot decrypt, since it would deploy without those values.

use std::fmt::Write as _;
use std::path::Path;

use super::change::MARK;
use super::plan::Wanted;
use super::values::Values;

/// The file.
pub(super) fn makefile(wanted: &Wanted, values: &Values, overlay: Option<&Path>) -> String {
    let word = &wanted.release;
    let name: String =
        word.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let context = wanted.context.as_deref().unwrap_or_default();
    let version = wanted.version.as_deref().unwrap_or_default();
    let mut text = format!(
        "# {MARK}: the release {word} with its registry. `include` it, or call it with make -f.\n\
         {name}_RELEASE ?= {word}\n\
         {name}_NAMESPACE ?= {namespace}\n\
         {name}_CHART ?= {chart}\n\
         {name}_CHART_VERSION ?={version}\n\
         {name}_CONTEXT ?={context}\n\
         \n\
         {word}-kubectl = kubectl $(if $({name}_CONTEXT),--context $({name}_CONTEXT)) --namespace $({name}_NAMESPACE)\n\
         \n\
         .PHONY: {word}-deploy {word}-status {word}-ingress-deploy\n",
        namespace = wanted.namespace,
        chart = dollars(&wanted.shown(Path::new(&wanted.chart))),
        version = value(version),
        context = value(context),
    );
    let deploy = deploy(wanted, values, overlay, &name);
    let _ = write!(text, "\n{word}-deploy: ## Apply the release, the registry's values last\n\t{deploy}\n");
    let _ = write!(
        text,
        "\n{word}-status: ## Show the release, its pods, its volumes and its routes\n\
         \thelm status $({name}_RELEASE) --namespace $({name}_NAMESPACE) $(if $({name}_CONTEXT),--kube-context $({name}_CONTEXT))\n\
         \t$({word}-kubectl) get pods,services,persistentvolumeclaims,ingresses -l app.kubernetes.io/instance=$({name}_RELEASE)\n"
    );
    if let Some(manifest) = &wanted.manifest {
        let _ = write!(
            text,
            "\n{word}-ingress-deploy: ## Apply the route to the registry\n\
             \t$({word}-kubectl) apply --server-side --field-manager=railhead -f {}\n",
            quoted(&wanted.shown(manifest))
        );
    }
    text
}

/// The command line of helm, inside of as many `sops exec-file` as there are encrypted files.
fn deploy(wanted: &Wanted, values: &Values, overlay: Option<&Path>, name: &str) -> String {
    let mut files = String::new();
    let mut encrypted = Vec::new();
    for file in values.files() {
        let path = wanted.shown(file.path());
        if file.is_encrypted() {
            // The shell of each `sops exec-file` gets the name of its file in a variable of its own.
            // Writing to a string cannot fail.
            let _ = write!(files, " --values \"$$values{}\"", encrypted.len());
            encrypted.push(path);
        } else {
            let _ = write!(files, " --values {}", quoted(&path));
        }
    }
    if let Some(overlay) = overlay {
        let _ = write!(files, " --values {}", quoted(&wanted.shown(overlay)));
    }
    let helm = format!(
        "helm upgrade --install $({name}_RELEASE) $({name}_CHART) $(if $({name}_CHART_VERSION),--version $({name}_CHART_VERSION)) \
         --namespace $({name}_NAMESPACE) $(if $({name}_CONTEXT),--kube-context $({name}_CONTEXT)) --wait{files}"
    );
    match encrypted.as_slice() {
        [] => helm,
        [one] => {
            let helm = helm.replace("\"$$values0\"", "{}");
            format!("sops exec-file {} {}", quoted(one), single(&helm))
        }
        several => several.iter().enumerate().rev().fold(helm, |inner, (at, file)| {
            let inner = single(&format!("export values{at}={{}}; {inner}"));
            // sops puts its file in for every pair of braces, also for that of the one inside.
            let inner = if at == 0 { inner } else { inner.replace("{}", "{''}") };
            format!("sops exec-file {} {inner}", quoted(file))
        }),
    }
}

/// The value of a variable; none leaves no space at the end of the line.
fn value(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" {}", dollars(text)) }
}

/// For make, which takes a dollar for the beginning of a variable.
fn dollars(text: &str) -> String {
    text.replace('$', "$$")
}

/// A word of the shell in a recipe of make.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { single(&dollars(text)) }
}

/// In single quotes, for the shell.
fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
