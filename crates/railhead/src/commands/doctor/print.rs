//! What a person sees: routes × hops, the findings in the order of mending, the verdict.

use std::fmt::Write as _;
use std::path::Path;

use railhead_doctor::{Diagnosis, Finding, HEAD, Severity, rows};

use crate::printer::{clean, table};

/// The whole report, and where it is kept.
pub fn text(diagnosis: &Diagnosis, evidence: Option<&Path>) -> String {
    let mut text = table(&HEAD, &rows(diagnosis));
    text.push_str(&findings(&diagnosis.findings, "routes"));
    let errors = diagnosis.findings.iter().any(|finding| finding.severity == Severity::Error);
    let _ = write!(text, "\n{}: {}\n", diagnosis.host, diagnosis.verdict.text);
    if errors {
        text.push_str("`railhead explain CODE` tells the whole story of a code.\n");
    }
    if let Some(path) = evidence {
        let _ = writeln!(text, "evidence: {}", path.display());
    }
    text
}

/// Findings, numbered; `at` is the word for where they were found.
pub fn findings(findings: &[Finding], at: &str) -> String {
    let mut text = String::new();
    for (index, finding) in findings.iter().enumerate() {
        text.push('\n');
        one(&mut text, index + 1, finding, at);
    }
    text
}

fn one(text: &mut String, number: usize, finding: &Finding, at: &str) {
    let Finding { code, title, severity, layer, owner, routes, evidence, fix } = finding;
    let _ = writeln!(text, "{number}. {code}  {title}");
    let owner = owner.as_deref().unwrap_or("not named");
    let _ = writeln!(
        text,
        "   {severity} · layer {layer} · owner {} · {at} {}",
        clean(owner),
        clean(&routes.join(", "))
    );
    for line in evidence {
        let _ = writeln!(text, "   - {}", clean(&line.replace('\n', " ")));
    }
    for line in fix.lines() {
        let line = clean(line);
        // An indented empty line would be white space at its end.
        let _ = if line.is_empty() { writeln!(text) } else { writeln!(text, "     {line}") };
    }
}

#[cfg(test)]
mod tests {
    use railhead_doctor::testing::{self, gitea_challenge, gitea_with, now, traefik_404};
    use railhead_doctor::{Layer, Owners, Place, diagnose};

    use super::*;

    fn seed() -> Diagnosis {
        let place = Place {
            owners: Owners::default().with(Layer::Application, "apps").with(Layer::Routing, "cluster"),
            ..Place::new("git.example.com")
        };
        let challenge = gitea_challenge("http://git.example.com/v2/token");
        let walks = vec![
            gitea_with("pod=http://git.example.com,connect=10.42.0.7:3000", &challenge),
            gitea_with("nodeport=http://203.0.113.254:32166", &challenge),
            testing::answered("http=http://git.example.com", traefik_404("GET http://git.example.com/v2/")),
            testing::answered(
                "https=https://git.example.com",
                traefik_404("GET https://git.example.com/v2/"),
            ),
        ];
        diagnose(&place, walks, now())
    }

    #[test]
    fn a_person_sees_routes_then_findings_then_the_verdict() {
        insta::assert_snapshot!(text(&seed(), Some(Path::new("railhead-evidence/doctor.json"))));
    }

    #[test]
    fn a_program_sees_everything() {
        let mut diagnosis = seed();
        // What was seen is the walker's matter.
        diagnosis.walks.clear();
        insta::assert_json_snapshot!(diagnosis);
    }

    #[test]
    fn what_servers_say_cannot_move_the_cursor() {
        let mut diagnosis = seed();
        diagnosis.findings[0].evidence.push("pod: \u{1b}[2J\u{7}\nsecond".to_owned());
        assert!(!text(&diagnosis, None).contains(['\u{1b}', '\u{7}']));
    }
}
