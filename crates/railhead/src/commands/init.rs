//! `railhead init`: writes a first site file, from flags or from answers.
//!
//! Order: flags, an inspection where one is at hand, questions for what no flag said (on a terminal, or with --ask), the file, what to do next.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use railhead_client::hops::Route;
use railhead_doctor::Layer;
use railhead_operate::{Answers, Archive, DEFAULT_EVIDENCE, Kind, SiteError, write_whole};
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::doctor::owner;
use crate::config::DEFAULT_FILE;
use crate::failure::{Exit, Failure, Result};
use crate::printer::Printer;

/// Write a first site file, which the other commands read
///
/// Takes what flags say, then what an inspection found, and asks for the rest on a terminal. Every line of the file is explained in
/// it. No secret belongs there.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[derive(Debug, Args)]
pub struct Init {
    /// The registry as images name it, as git.example.com or git.example.com:8443
    #[arg(value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// What the site is called
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// What answers there: gitea, forgejo, railhead, distribution or none
    #[arg(long, value_name = "KIND")]
    forge: Option<String>,
    /// Whether everybody is meant to be able to pull: public or private
    #[arg(long, value_name = "WHO")]
    visibility: Option<String>,
    /// The user or organisation that images are published under
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// A way to the registry, as in pod=http://git.example.com,connect=10.0.0.7:3000; repeat it for others
    #[arg(long = "route", value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    routes: Vec<Route>,
    /// Who owns a layer, as in routing=cluster-team; repeat it for others
    #[arg(long = "layer", value_name = "LAYER=WHO", value_parser = owner)]
    layers: Vec<(Layer, String)>,
    /// The context of the kubeconfig that reaches the cluster
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The namespace that pull secrets are made for
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// What the pull secret is called
    #[arg(long, value_name = "NAME")]
    pull_secret: Option<String>,
    /// The file that keeps the pull secret
    #[arg(long, value_name = "FILE")]
    pull_secret_file: Option<String>,
    /// Files with secrets are encrypted by sops
    #[arg(long)]
    sops: bool,
    /// Take what this inspection found: its evidence, or what `inspect --output json` said; - is standard input [default: the newest in railhead-evidence]
    #[arg(long, value_name = "FILE")]
    inspection: Option<PathBuf>,
    /// Take nothing from an inspection
    #[arg(long, conflicts_with = "inspection")]
    no_inspection: bool,
    /// Ask also when standard input is no terminal
    #[arg(long, conflicts_with = "no_ask")]
    ask: bool,
    /// Ask nothing
    #[arg(long)]
    no_ask: bool,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

/// What was written, for programs.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    host: String,
}

/// The questions: the key that an answer is for, and what is asked.
const QUESTIONS: [(&str, &str); 9] = [
    ("site.host", "Host of the registry, as images name it (git.example.com):"),
    ("site.name", "What is the site called?"),
    ("site.forge", "What answers there: gitea, forgejo, railhead, distribution or none?"),
    (
        "site.visibility",
        "Who is meant to be able to pull: everybody (public), or only who logs in (private)?",
    ),
    ("site.owner", "Which user or organisation are images published under?"),
    ("owners.application", "Who mends the registry itself (a repository, a team, a person)?"),
    ("owners.routing", "Who mends what is in front of it: ingress, proxies, certificates?"),
    ("cluster.namespace", "Which namespace of the cluster pulls?"),
    ("cluster.sops", "Are files with secrets encrypted by sops? [y/N]"),
];

impl Init {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        let printer = context.printer;
        let file = context.layers.site_file().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        if file.exists() && !self.force {
            return Err(Failure::new(Exit::Conflict, format!("{} is there already", file.display()))
                .hint("edit it, name another one with --config, or replace it with --force"));
        }
        let mut answers = self.flags()?;
        if let Some((from, document)) = self.inspection(&file)? {
            let open = answers.take_inspection(&document).ok_or_else(|| {
                Failure::new(Exit::Usage, format!("{from} is no inspection"))
                    .hint("`railhead inspect --output json` says one, and `--evidence DIR` keeps it")
            })?;
            printer.note(&format!("what no flag says is taken from {from}"));
            for line in &open {
                printer.note(line);
            }
        }
        if self.ask || (!self.no_ask && std::io::stdin().is_terminal()) {
            printer.note(&format!("what is left empty stands as an example in {}", file.display()));
            ask(&mut answers, &mut |question, wrong| {
                if let Some(wrong) = wrong {
                    printer.warning(wrong);
                }
                printer.question(question)
            })?;
        }
        let Some(host) = answers.text("site.host").map(str::to_owned) else {
            return Err(Failure::new(Exit::Usage, "nobody says which registry the site has")
                .hint("name its host, as in `railhead init git.example.com`"));
        };
        if !answers.has_route() {
            let route = format!("public=https://{host}").parse();
            answers.route(route.map_err(|error| Failure::of(Exit::Usage, &error))?)?;
        }
        write_whole(&file, answers.file().as_bytes())?;
        said(printer, &host);
        printer.data(&Written { file: file.clone(), host }, || format!("{}\n", file.display()))
    }

    /// The inspection that is named, or the newest that lies where evidence is kept, with its place.
    fn inspection(&self, file: &Path) -> Result<Option<(String, Value)>> {
        if self.no_inspection {
            return Ok(None);
        }
        let Some(path) = &self.inspection else {
            let archive = Archive::new(file.parent().unwrap_or(Path::new("")).join(DEFAULT_EVIDENCE));
            let newest = archive.newest(Kind::Inspection, None)?;
            return Ok(newest.map(|(path, evidence)| (path.display().to_string(), evidence.result)));
        };
        let from = path.display().to_string();
        let text = if path.as_os_str() == "-" {
            std::io::read_to_string(std::io::stdin())
        } else {
            std::fs::read_to_string(path)
        };
        let text =
            text.map_err(|error| Failure::new(Exit::Usage, format!("cannot read {from}")).because(&error))?;
        let document = serde_json::from_str(&text)
            .map_err(|error| Failure::new(Exit::Usage, format!("{from} is not JSON")).because(&error))?;
        Ok(Some((from, document)))
    }

    /// What the flags say.
    fn flags(&self) -> Result<Answers> {
        let mut answers = Answers::default();
        for (key, flag, text) in [
            ("site.host", "HOST", &self.host),
            ("site.name", "--name", &self.name),
            ("site.forge", "--forge", &self.forge),
            ("site.visibility", "--visibility", &self.visibility),
            ("site.owner", "--owner", &self.owner),
            ("cluster.context", "--context", &self.context),
            ("cluster.namespace", "--namespace", &self.namespace),
            ("cluster.pull_secret", "--pull-secret", &self.pull_secret),
            ("cluster.pull_secret_file", "--pull-secret-file", &self.pull_secret_file),
        ] {
            if let Some(text) = text {
                answers.put(key, text.as_str()).map_err(|error| refused(flag, &error))?;
            }
        }
        for (layer, who) in &self.layers {
            let key = format!("owners.{layer}");
            answers.put(&key, who.as_str()).map_err(|error| refused("--layer", &error))?;
        }
        for route in &self.routes {
            answers.route(route.clone()).map_err(|error| refused("--route", &error))?;
        }
        if self.sops {
            answers.put("cluster.sops", true)?;
        }
        Ok(answers)
    }
}

fn refused(flag: &str, error: &SiteError) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("{flag}: {}", error.what()));
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Asks a question, after it has said what was wrong with the answer before; none at the end of the input.
type Ask<'a> = &'a mut dyn FnMut(&str, Option<&str>) -> Result<Option<String>>;

/// Asks for what is not known, each until the answer is taken or empty.
fn ask(answers: &mut Answers, question: Ask<'_>) -> Result<()> {
    for (key, words) in QUESTIONS {
        if answers.knows(key) {
            continue;
        }
        let mut wrong = None;
        while let Some(line) = question(words, wrong.as_deref())? {
            let text = line.trim();
            let taken = match (key, text) {
                ("site.host", "") => {
                    wrong = Some("a site has a host".to_owned());
                    continue;
                }
                (_, "") | ("cluster.sops", "n" | "N" | "no") => break,
                ("cluster.sops", "y" | "Y" | "yes") => answers.put(key, true),
                ("cluster.sops", _) => {
                    wrong = Some("y or n".to_owned());
                    continue;
                }
                _ => answers.put(key, text),
            };
            match taken {
                Ok(()) => break,
                Err(error) => wrong = Some(error.what()),
            }
        }
    }
    Ok(())
}

fn said(printer: Printer, host: &str) {
    printer.note(&format!(
        "next: `railhead doctor {host}` says whether the registry can be used, and what to mend"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_taken_is_asked_again() {
        let script = [
            "",
            "https://git.example.com",
            "Git.example.com:8443",
            "",
            "github",
            "gitea",
            "",
            "",
            "",
            "",
            "",
            "x",
            "y",
        ];
        let mut lines = script.iter();
        let mut seen = Vec::new();
        let mut answers = Answers::default();
        ask(&mut answers, &mut |question, wrong| {
            seen.extend(wrong.map(str::to_owned));
            assert!(!question.is_empty());
            Ok(lines.next().map(|line| format!("{line}\n")))
        })
        .unwrap();
        assert_eq!(answers.text("site.host"), Some("Git.example.com:8443"));
        assert_eq!(answers.text("site.forge"), Some("gitea"));
        assert_eq!(answers.text("site.name"), None);
        assert!(answers.file().contains("\nsops = true\n"));
        insta::assert_debug_snapshot!(seen);
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn what_a_flag_said_is_not_asked_and_an_end_of_input_ends_it() {
        let mut answers = Answers::default();
        answers.put("site.host", "git.example.com").unwrap();
        let mut asked = 0;
        ask(&mut answers, &mut |question, _| {
            asked += 1;
            assert!(!question.contains("Host of"), "{question}");
            Ok(None)
        })
        .unwrap();
        assert_eq!(asked, QUESTIONS.len() - 1);
    }
}
