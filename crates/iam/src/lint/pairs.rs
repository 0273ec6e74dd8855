//! Actions and resources that never meet: they allow, or deny, nothing.
//!
//! Which resource types an action takes is the catalogue's word; where AWS's prose says otherwise the
//! catalogue is followed, and findings name its source.

use super::action::{Expanded, is_all_stars, service_of};
use super::document::Statement;
use super::report::Report;
use super::resource::{ResourceForm, Shape, TypeForm};
use super::type_forms::TypeForms;
use super::{LintRule, PolicyKind, source};
use crate::{Action, Catalogue, Effect};

/// This many names stand in one message; the rest is counted.
const LISTED: usize = 4;

/// What is known of a statement's actions and resources.
pub(super) struct Pairs<'a, 'c> {
    pub(super) statement: &'a Statement,
    pub(super) actions: &'a [Expanded<'c>],
    pub(super) resources: &'a [ResourceForm],
    pub(super) catalogue: &'c Catalogue,
    pub(super) type_forms: &'a TypeForms<'c>,
    pub(super) kind: PolicyKind,
}

/// One action with the resources of the statement that it can meet.
struct Row<'c> {
    action: Action<'c>,
    takes_none: bool,
    /// By resource of the statement.
    meets: Vec<bool>,
}

impl<'c> Pairs<'_, 'c> {
    /// Reports what is dead; why every action is, if so.
    pub(super) fn check(&self, report: &mut Report<'_>) -> Option<&'static str> {
        let negated = |element: &Option<super::document::Element>| {
            element.as_ref().is_none_or(|element| element.negated)
        };
        if negated(&self.statement.action) || negated(&self.statement.resource) {
            return None;
        }
        if self.all_unknown() {
            return Some("it names no action that exists");
        }
        let has = |shape| self.resources.iter().any(|one| one.shape == shape);
        if has(Shape::Everything) {
            self.scopable(report);
        }
        if has(Shape::Everything) || has(Shape::Untold) {
            return None;
        }
        let comparable = self
            .resources
            .iter()
            .any(|resource| matches!(resource.shape, Shape::Arn(_)));
        if !comparable {
            return (!self.resources.is_empty()).then_some("none of its resources can match");
        }
        let mut live = Vec::new();
        let mut any_live = false;
        for value in self.actions {
            if value.all {
                any_live = true;
                continue;
            }
            let rows: Vec<Row<'c>> = value
                .actions
                .iter()
                .map(|action| self.row(*action))
                .collect();
            if rows.is_empty() {
                continue;
            }
            if rows.iter().all(|row| !row.meets.contains(&true)) {
                self.dead_action(value, &rows, report);
            } else {
                any_live = true;
                live.extend(rows);
            }
        }
        if any_live && !self.actions.iter().any(|value| value.all) {
            self.dead_resources(&live, report);
        }
        (!any_live).then_some("no action of it meets a resource of it")
    }

    /// Whether no value of `Action` stands for any action.
    fn all_unknown(&self) -> bool {
        !self.actions.is_empty()
            && self
                .actions
                .iter()
                .all(|value| !value.all && value.actions.is_empty())
    }

    fn row(&self, action: Action<'c>) -> Row<'c> {
        let types = self.type_forms.of_action(action);
        let takes_none = types.is_empty();
        let meets = self
            .resources
            .iter()
            .map(|resource| {
                if takes_none {
                    is_every_bucket(&action, &resource.text)
                } else {
                    types
                        .iter()
                        .flat_map(|forms| &**forms)
                        .any(|of_type| resource.meets(of_type))
                }
            })
            .collect();
        Row {
            action,
            takes_none,
            meets,
        }
    }

    fn dead_action(&self, value: &Expanded<'_>, rows: &[Row<'c>], report: &mut Report<'_>) {
        let verb = self.statement.verb();
        if rows.iter().all(|row| row.takes_none) {
            let message = format!(
                "`{}` supports only `*` as its resource: with an ARN the statement {}s nothing of it",
                value.text,
                verb.replace("deny", "denie")
            );
            report
                .add(LintRule::ActionTakesNoResource, value.offset, message)
                .hint(format!(
                    "put it into a statement with `\"Resource\": \"*\"` ({})",
                    source(self.catalogue)
                ));
            return;
        }
        let types = self.type_names(rows);
        let message = if is_s3_mix(rows, self.resources) {
            format!(
                "`{}` acts on {types}, and no resource of the statement is one: {}",
                value.text,
                s3_words(&types)
            )
        } else {
            format!(
                "`{}` acts on {types}, and no resource of the statement can be one",
                value.text
            )
        };
        let template = rows
            .iter()
            .flat_map(|row| {
                self.catalogue
                    .resource_types(row.action)
                    .map(move |used| (row, used))
            })
            .filter_map(|(row, used)| {
                self.catalogue
                    .resource_type(service_of(&row.action), used.name)
            })
            // The plainest: an object rather than an object behind an access point.
            .min_by_key(|resource_type| resource_type.arn.len());
        report
            .add(LintRule::DeadAction, value.offset, message)
            .hint(match template {
                Some(template) => format!(
                    "its ARNs have the form `{}` ({})",
                    template.arn,
                    source(self.catalogue)
                ),
                None => format!("by {}", source(self.catalogue)),
            });
    }

    fn type_names(&self, rows: &[Row<'c>]) -> String {
        let mut names: Vec<&str> = rows
            .iter()
            .flat_map(|row| self.catalogue.resource_types(row.action))
            .map(|used| used.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        list(&names)
    }

    fn dead_resources(&self, live: &[Row<'c>], report: &mut Report<'_>) {
        let mut dead = Vec::new();
        for (number, resource) in self.resources.iter().enumerate() {
            let meets = |row: &Row<'_>| row.meets.get(number) == Some(&true);
            if !matches!(resource.shape, Shape::Arn(_)) {
                continue;
            }
            if !live.iter().any(meets) {
                let message = format!("no action of the statement acts on `{}`", resource.text);
                report
                    .add(LintRule::DeadResource, resource.offset, message)
                    .hint(format!("by {}", source(self.catalogue)));
                continue;
            }
            dead.extend(
                live.iter()
                    .filter(|row| !meets(row))
                    .map(|row| format!("{} × {}", row.action.full_name, resource.text)),
            );
        }
        if dead.is_empty() {
            return;
        }
        let offset = self
            .statement
            .action
            .as_ref()
            .map_or(self.statement.offset, |element| element.offset);
        let names: Vec<&str> = dead.iter().map(String::as_str).collect();
        let message = format!(
            "{} of {} pairs of action and resource {} nothing: {}",
            dead.len(),
            live.len() * self.resources.len(),
            self.statement.verb(),
            list(&names)
        );
        report
            .add(LintRule::DeadPairs, offset, message)
            .hint("split the statement by resource type, if that reads better");
    }

    /// Actions on `*` that the catalogue says can be limited, whatever older prose says.
    fn scopable(&self, report: &mut Report<'_>) {
        // The `*` of a resource's own policy is that resource.
        let of_principal = matches!(self.kind, PolicyKind::Identity | PolicyKind::Session);
        if self.statement.effect != Some(Effect::Allow) || !of_principal {
            return;
        }
        let mut names = Vec::new();
        for value in self.actions.iter().filter(|value| !value.is_pattern) {
            for action in &value.actions {
                let types: Vec<&str> = self
                    .catalogue
                    .resource_types(*action)
                    .map(|used| used.name)
                    .collect();
                if !types.is_empty() {
                    names.push(format!("{} ({})", action.full_name, types.join(", ")));
                }
            }
        }
        let Some(offset) =
            self.statement.resource.as_ref().and_then(|element| {
                Some(element.values.first()?.offset).filter(|_| !names.is_empty())
            })
        else {
            return;
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!("on `*`, but can be limited to resources: {}", list(&names));
        report
            .add(LintRule::ScopableAction, offset, message)
            .hint(format!("by {}", source(self.catalogue)));
    }
}

/// Whether a value of `Resource` can stand for something that an action acts on, by the catalogue: where it
/// cannot, the pair allows nothing. What cannot be compared can.
pub fn acts_on(catalogue: &Catalogue, action: Action<'_>, resource: &str) -> bool {
    if is_all_stars(resource) || !resource.starts_with("arn:") {
        return true;
    }
    if catalogue.resource_types(action).next().is_none() {
        return is_every_bucket(&action, resource);
    }
    // Most pairs are told apart by the service: this is asked for every action of a wildcard.
    let of_service = |arn: &str| arn.split(':').nth(2).unwrap_or_default().to_owned();
    let wanted = of_service(resource);
    let is_open = wanted.contains(['*', '?', '$']);
    let service = service_of(&action);
    let form = ResourceForm::of_pattern(resource);
    let mut types = catalogue
        .resource_types(action)
        .filter_map(|used| catalogue.resource_type(service, used.name))
        .filter(|of_type| is_open || of_type.arn.split(", ").any(|arn| of_service(arn) == wanted));
    types.any(|of_type| {
        let forms = TypeForm::all(of_type.arn, catalogue, service);
        forms.iter().any(|of_type| form.meets(of_type))
    })
}

/// `s3:ListAllMyBuckets` is asked about all buckets, `arn:aws:s3:::*`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
fn is_every_bucket(action: &Action<'_>, resource: &str) -> bool {
    action.full_name == "s3:ListAllMyBuckets" && resource.ends_with(":s3:::*")
}

fn is_s3_mix(rows: &[Row<'_>], resources: &[ResourceForm]) -> bool {
    rows.iter()
        .all(|row| row.action.full_name.starts_with("s3:"))
        && resources
            .iter()
            .all(|resource| resource.text.contains(":s3:::"))
}

fn s3_words(types: &str) -> &'static str {
    if types.contains("object") {
        "an object-level action on a bucket ARN"
    } else {
        "a bucket-level action on an object ARN"
    }
}

/// The first few, and how many more there are.
fn list(names: &[&str]) -> String {
    let shown: Vec<&str> = names.iter().copied().take(LISTED).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
