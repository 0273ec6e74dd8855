//! `retrial lint`: what is wrong with policy documents, and where.

use std::collections::BTreeMap;
use std::fs;

use retrial_iam::{
    Catalogue, LintFinding, LintRule, Linter, PolicyKind, Severity, SnapshotFile,
    lint_snapshot_file,
};
use serde_json::{Value, json};

use crate::Exit;
use crate::args::{FailOn, KindArg, LintArgs, LintFormat};
use crate::error::ProgramError;
use crate::input;
use crate::printer::{Printer, printable};

/// The findings of one document.
struct Linted {
    /// The file, as it was named.
    path: String,
    /// The policy, where the file holds several.
    policy: Option<String>,
    findings: Vec<LintFinding>,
}

/// How many findings there are of each severity.
#[derive(Default)]
struct Counts {
    errors: usize,
    warnings: usize,
    notes: usize,
}

pub(crate) fn run(args: &LintArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    let definitions: BTreeMap<String, String> = args.definitions.iter().cloned().collect();
    let linter = Linter::new(Catalogue::bundled(), definitions);
    let mut linted = Vec::new();
    let mut whole = true;
    for path in &args.files {
        let name = path.display().to_string();
        match fs::read(path) {
            Ok(bytes) => linted.push(document(name, &bytes, args.kind, &linter)),
            Err(error) => {
                whole = false;
                printer.warning(&format!("cannot read `{name}`: {error}"));
            }
        }
    }
    if let Some(path) = &args.iam {
        let files =
            input::snapshot_files(path).map_err(|cause| ProgramError::SnapshotUnreadable {
                path: path.display().to_string(),
                cause,
            })?;
        let is_folder = path.is_dir();
        for (key, bytes) in &files {
            let name = if is_folder {
                path.join(key).display().to_string()
            } else {
                path.display().to_string()
            };
            let file = SnapshotFile { path: key, bytes };
            linted.extend(
                lint_snapshot_file(&file, &linter)
                    .into_iter()
                    .map(|document| Linted {
                        path: name.clone(),
                        policy: Some(document.id),
                        findings: document.findings,
                    }),
            );
        }
    }
    let counts = Counts::of(&linted);
    let text = match args.format {
        LintFormat::Text => text(&linted, &counts),
        LintFormat::Json => format!("{}\n", as_json(&linted, &counts)),
        LintFormat::Sarif => format!("{:#}\n", sarif(&linted)),
    };
    printer.data(&text)?;
    let passed = match args.fail_on {
        FailOn::Error => counts.errors == 0,
        FailOn::Warning => counts.errors + counts.warnings == 0,
        FailOn::Note => counts.errors + counts.warnings + counts.notes == 0,
        FailOn::Never => true,
    };
    Ok(match (whole, passed) {
        (false, _) => Exit::Incomplete,
        (true, false) => Exit::Threshold,
        (true, true) => Exit::Done,
    })
}

fn document(path: String, bytes: &[u8], kind: KindArg, linter: &Linter<'_>) -> Linted {
    // A document that is not UTF-8 is looked at all the same: the linter says where it is no JSON.
    let text = String::from_utf8_lossy(bytes);
    let kind = match kind {
        KindArg::Auto => PolicyKind::guess(&text),
        KindArg::Identity => PolicyKind::Identity,
        KindArg::Boundary => PolicyKind::Boundary,
        KindArg::Session => PolicyKind::Session,
        KindArg::Resource => PolicyKind::Resource,
        KindArg::Trust => PolicyKind::Trust,
        KindArg::Scp => PolicyKind::Scp,
        KindArg::Rcp => PolicyKind::Rcp,
        KindArg::VpcEndpoint => PolicyKind::VpcEndpoint,
    };
    Linted {
        findings: linter.lint(&text, kind),
        path,
        policy: None,
    }
}

impl Counts {
    fn of(linted: &[Linted]) -> Counts {
        let mut counts = Counts::default();
        for finding in linted.iter().flat_map(|document| &document.findings) {
            match finding.severity {
                Severity::Error => counts.errors += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Note => counts.notes += 1,
            }
        }
        counts
    }
}

fn text(linted: &[Linted], counts: &Counts) -> String {
    let mut out = String::new();
    for document in linted {
        for finding in &document.findings {
            out.push_str(&format!(
                "{}:{}:{}: {}[{}]: {}\n",
                printable(&document.path),
                finding.line,
                finding.column,
                finding.severity.name(),
                finding.rule.id(),
                printable(&finding.message)
            ));
            if let Some(policy) = &document.policy {
                out.push_str(&format!("    in {}\n", printable(policy)));
            }
            if let Some(hint) = &finding.hint {
                out.push_str(&format!("    hint: {}\n", printable(hint)));
            }
        }
    }
    out.push_str(&format!(
        "{}, {}, {} in {}\n",
        counted(counts.errors, "error"),
        counted(counts.warnings, "warning"),
        counted(counts.notes, "note"),
        counted(linted.len(), "document")
    ));
    out
}

fn counted(number: usize, of: &str) -> String {
    if number == 1 {
        format!("1 {of}")
    } else {
        format!("{number} {of}s")
    }
}

fn as_json(linted: &[Linted], counts: &Counts) -> Value {
    let findings: Vec<Value> = linted
        .iter()
        .flat_map(|document| {
            document.findings.iter().map(|finding| {
                json!({
                    "file": document.path, "policy": document.policy,
                    "line": finding.line, "column": finding.column,
                    "rule": finding.rule.id(), "severity": finding.severity.name(),
                    "message": finding.message, "hint": finding.hint,
                })
            })
        })
        .collect();
    json!({
        "documents": linted.len(),
        "errors": counts.errors, "warnings": counts.warnings, "notes": counts.notes,
        "findings": findings,
    })
}

/// SARIF 2.1.0: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.
fn sarif(linted: &[Linted]) -> Value {
    let rules: Vec<Value> = LintRule::ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id(),
                "shortDescription": {"text": rule.summary()},
                "defaultConfiguration": {"level": rule.severity().name()},
            })
        })
        .collect();
    let results: Vec<Value> = linted
        .iter()
        .flat_map(|document| {
            document
                .findings
                .iter()
                .map(|finding| sarif_result(document, finding))
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "retrial", "version": env!("CARGO_PKG_VERSION"), "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn sarif_result(document: &Linted, finding: &LintFinding) -> Value {
    let rule_index = LintRule::ALL.iter().position(|rule| *rule == finding.rule);
    let message = match &finding.hint {
        Some(hint) => format!("{} (hint: {hint})", finding.message),
        None => finding.message.clone(),
    };
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&document.path)},
            "region": {"startLine": finding.line, "startColumn": finding.column},
        },
    });
    if let (Some(policy), Some(members)) = (&document.policy, location.as_object_mut()) {
        members.insert(
            "logicalLocations".to_owned(),
            json!([{"fullyQualifiedName": policy}]),
        );
    }
    json!({
        "ruleId": finding.rule.id(), "ruleIndex": rule_index,
        "level": finding.severity.name(),
        "message": {"text": message},
        "locations": [location],
    })
}

/// A path as a relative or absolute URI reference: what a URI cannot hold is percent-encoded.
pub(crate) fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_uris() {
        assert_eq!(uri("policies/a b#1.json"), "policies/a%20b%231.json");
        assert_eq!(uri("/x/ä.json"), "/x/%C3%A4.json");
    }
}
