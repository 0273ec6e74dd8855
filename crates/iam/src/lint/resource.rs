//! Resources: the form of each ARN, and which resource types it can be.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

use super::action::is_all_stars;
use super::document::{Located, Statement};
use super::form::Form;
use super::placeholder;
use super::report::Report;
use super::type_forms::TypeForms;
use super::{LintRule, source};
use crate::{Catalogue, Effect};

/// A value of `Resource`, as far as it can be compared with the types of the catalogue.
pub(super) struct ResourceForm {
    pub(super) offset: usize,
    pub(super) text: String,
    pub(super) shape: Shape,
}

/// What a value of `Resource` can be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `*`.
    Everything,
    /// Nobody can tell what stands there.
    Untold,
    /// It matches nothing, and a finding says so.
    Broken,
    /// The six parts of an ARN.
    Arn(Vec<Form>),
}

impl ResourceForm {
    /// Of the six parts of a pattern.
    pub(super) fn of_pattern(text: &str) -> ResourceForm {
        let parts = text.splitn(6, ':').map(Form::of_pattern).collect();
        ResourceForm {
            offset: 0,
            text: text.to_owned(),
            shape: Shape::Arn(parts),
        }
    }

    /// Whether an ARN of this template can match.
    pub(super) fn meets(&self, template: &TypeForm) -> bool {
        match &self.shape {
            Shape::Everything | Shape::Untold => true,
            Shape::Broken => false,
            Shape::Arn(parts) => {
                // The last part tells most types of a service apart.
                parts.len() == template.0.len()
                    && parts
                        .iter()
                        .zip(&template.0)
                        .rev()
                        .all(|(part, template)| part.meets(template))
            }
        }
    }
}

/// The six parts of a resource type's ARN.
#[derive(Debug)]
pub(super) struct TypeForm(Vec<Form>);

impl TypeForm {
    /// `arn:${Partition}:s3:::${BucketName}`; the reference has a list of ARNs for some types. Where
    /// another type of the service continues this one after a `/`, as objects do buckets, the last
    /// variable holds none.
    pub(super) fn all(template: &str, catalogue: &Catalogue, service: &str) -> Vec<TypeForm> {
        let form = |template: &str| {
            let continued = format!("{template}/");
            let last_has_slash = !catalogue
                .all_resource_types(service)
                .any(|other| other.arn.starts_with(&continued));
            TypeForm(
                template
                    .splitn(6, ':')
                    .map(|part| Form::of_template(part, last_has_slash))
                    .collect(),
            )
        };
        template.split(", ").map(form).collect()
    }
}

/// The resources of a statement, with findings for those whose form is wrong.
pub(super) fn forms(
    statement: &Statement,
    type_forms: &TypeForms<'_>,
    report: &mut Report<'_>,
) -> Vec<ResourceForm> {
    let Some(element) = &statement.resource else {
        return Vec::new();
    };
    let allows = statement.effect == Some(Effect::Allow) && !element.negated;
    element
        .values
        .iter()
        .map(|value| {
            let shape = shape(value, type_forms, report);
            if allows && matches!(shape, Shape::Arn(_)) {
                any_account(value, report);
            }
            ResourceForm {
                offset: value.offset,
                text: value.text.clone(),
                shape,
            }
        })
        .collect()
}

fn shape(value: &Located, type_forms: &TypeForms<'_>, report: &mut Report<'_>) -> Shape {
    let text = value.text.as_str();
    if is_all_stars(text) {
        return Shape::Everything;
    }
    if text.starts_with('<') || text.starts_with("${") {
        return Shape::Untold;
    }
    if let Some(place) = text.find(char::is_whitespace) {
        let before: String = text
            .chars()
            .take_while(|next| !next.is_whitespace())
            .collect();
        let message = format!("white space in the ARN after `{before}`: it cannot match");
        // In front of it stand the quote and, unless something is escaped, as many bytes.
        report
            .add(LintRule::WhitespaceInArn, value.offset + 1 + place, message)
            .hint("remove the white space");
        return Shape::Broken;
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [first, _, service, region, account, resource] = parts.as_slice() else {
        return short(value, &parts, report);
    };
    if !matches!(*first, "arn" | "*") {
        let message = format!("`{text}` is neither an ARN nor `*`");
        report
            .add(LintRule::InvalidArn, value.offset, message)
            .hint("an ARN begins with `arn:`");
        return Shape::Broken;
    }
    if *service == "s3" && region.is_empty() && resource.starts_with("accesspoint/") {
        // Multi-Region access points; the reference names no action for them and their objects.
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointPermissions.html
        return Shape::Untold;
    }
    if is_of_aws(service, account) || (*service == "iam" && *resource == "root") {
        return Shape::Untold;
    }
    if s3_with_account(value, service, region, account, resource, report)
        || empty_field(value, &parts, report)
        || bad_account(value, account, report)
    {
        return Shape::Broken;
    }
    let form = ResourceForm {
        offset: value.offset,
        text: text.to_owned(),
        shape: Shape::Arn(parts.iter().map(|part| Form::of_pattern(part)).collect()),
    };
    if !service_has_form(&form, &parts, type_forms, report) {
        return Shape::Broken;
    }
    form.shape
}

/// Whether the resource may be one of AWS's own, whose ARNs have no account: public parameters and
/// documents, service views. <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html>
fn is_of_aws(service: &str, account: &str) -> bool {
    account.is_empty() && matches!(service, "ssm" | "resource-explorer-2")
}

/// Fewer than six parts.
fn short(value: &Located, parts: &[&str], report: &mut Report<'_>) -> Shape {
    let text = value.text.as_str();
    if let ["arn", partition, "s3", rest @ ..] = parts
        && let Some(bucket) = rest.iter().find(|part| !part.is_empty())
        && !bucket.contains('*')
    {
        let message =
            format!("`{text}` lacks a colon: three stand between `s3` and the bucket's name");
        report
            .add(LintRule::MalformedS3Arn, value.offset, message)
            .hint(format!("write `arn:{partition}:s3:::{bucket}`"));
        return Shape::Broken;
    }
    let message = if parts.first() == Some(&"arn") {
        format!("`{text}` has {} of the six parts of an ARN", parts.len())
    } else {
        format!("`{text}` is neither an ARN nor `*`")
    };
    report
        .add(LintRule::InvalidArn, value.offset, message)
        .hint("the form is `arn:partition:service:region:account:resource`");
    // AWS fills short ARNs up in some places: nothing more is concluded from one that has wildcards.
    if text.contains('*') && text.starts_with("arn") {
        Shape::Untold
    } else {
        Shape::Broken
    }
}

/// Buckets and objects have neither region nor account in their ARNs; access points have an account.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-arn-format.html>
fn s3_with_account(
    value: &Located,
    service: &str,
    region: &str,
    account: &str,
    resource: &str,
    report: &mut Report<'_>,
) -> bool {
    let of_account = [
        "accesspoint/",
        "*",
        "job/",
        "storage-lens/",
        "storage-lens-group/",
    ];
    let is_other = of_account.iter().any(|begin| resource.starts_with(begin));
    if service != "s3" || is_other || !region.is_empty() || matches!(account, "" | "*") {
        return false;
    }
    let message = format!(
        "S3 bucket ARNs have no account: `{}` matches no bucket and no object",
        value.text
    );
    let partition = value.text.split(':').nth(1).unwrap_or("aws");
    report
        .add(LintRule::MalformedS3Arn, value.offset, message)
        .hint(format!("write `arn:{partition}:s3:::{resource}`"));
    true
}

/// Fields that are empty in no ARN, and a resource that begins with a second colon.
fn empty_field(value: &Located, parts: &[&str], report: &mut Report<'_>) -> bool {
    let [_, partition, service, _, _, resource] = parts else {
        return false;
    };
    let (message, hint) = if let Some(rest) = resource.strip_prefix(':') {
        (
            format!("the ARN has an empty field: its resource part is `{resource}`"),
            format!("remove one of the two colons before `{rest}`"),
        )
    } else if let Some(name) = [
        ("partition", *partition),
        ("service", *service),
        ("resource", *resource),
    ]
    .into_iter()
    .find_map(|(name, field)| field.is_empty().then_some(name))
    {
        (
            format!("the {name} of the ARN is empty"),
            "the form is `arn:partition:service:region:account:resource`".to_owned(),
        )
    } else {
        return false;
    };
    report
        .add(LintRule::EmptyArnField, value.offset, message)
        .hint(hint);
    true
}

fn bad_account(value: &Located, account: &str, report: &mut Report<'_>) -> bool {
    let digits = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || account.len() == 12 {
        return false;
    }
    let message = format!("account `{account}` has not twelve digits: the ARN cannot match");
    report.add(LintRule::InvalidArn, value.offset, message);
    true
}

/// Whether some type of the ARN's service has this form; otherwise says what is wrong with it.
fn service_has_form(
    form: &ResourceForm,
    parts: &[&str],
    type_forms: &TypeForms<'_>,
    report: &mut Report<'_>,
) -> bool {
    let [partition, service, region, account, resource] = parts.get(1..).unwrap_or_default() else {
        return true;
    };
    let catalogue = type_forms.catalogue();
    let types = type_forms.of_service(service);
    if types.templates.is_empty() {
        return true;
    }
    let meets = |form: &ResourceForm| {
        let mut forms = types.forms.iter().flat_map(|forms| &**forms);
        forms.any(|of_type| form.meets(of_type))
    };
    if meets(form) {
        return true;
    }
    let fits = |region: &str, account: &str| {
        let parts = ["arn", *partition, *service, region, account, *resource];
        let form = ResourceForm {
            offset: 0,
            text: String::new(),
            shape: Shape::Arn(parts.iter().map(|part| Form::of_pattern(part)).collect()),
        };
        meets(&form)
    };
    let or_any = |field: &str| {
        if field.is_empty() {
            "*".to_owned()
        } else {
            field.to_owned()
        }
    };
    let empty = if account.is_empty() && fits(region, "*") {
        Some("account")
    } else if region.is_empty() && fits("*", account) {
        Some("region")
    } else if fits(&or_any(region), &or_any(account)) {
        Some("region and the account")
    } else {
        None
    };
    if let Some(empty) = empty {
        let message = format!(
            "the {empty} of `{}` is empty: it never matches, for {service}'s ARNs of this type have one",
            form.text
        );
        report
            .add(LintRule::EmptyArnField, form.offset, message)
            .hint(format!(
                "put the {empty} or `*` there, by {}",
                source(catalogue)
            ));
        return false;
    }
    let message = format!(
        "no resource type of {service} has ARNs of the form `{}`",
        form.text
    );
    report
        .add(LintRule::ArnMatchesNoType, form.offset, message)
        .hint(match nearest_template(resource, &types.templates) {
            Some(template) => format!("the nearest is `{template}`, by {}", source(catalogue)),
            None => format!("by {}", source(catalogue)),
        });
    false
}

/// The template that begins as the resource does, or whose fixed beginning is nearest.
fn nearest_template<'t>(resource: &str, templates: &[&'t str]) -> Option<&'t str> {
    let begin = |text: &str| text.split(['/', ':']).next().unwrap_or_default().to_owned();
    let wanted = begin(resource);
    let begins: Vec<(String, &'t str)> = templates
        .iter()
        .map(|template| {
            (
                begin(template.splitn(6, ':').nth(5).unwrap_or_default()),
                *template,
            )
        })
        .collect();
    let nearest = super::suggest::nearest(&wanted, begins.iter().map(|(begin, _)| begin.as_str()))?;
    begins
        .iter()
        .find(|(begin, _)| begin == nearest)
        .map(|(_, template)| *template)
}

fn any_account(value: &Located, report: &mut Report<'_>) {
    let mut parts = value.text.splitn(6, ':');
    let account = parts.nth(4);
    if account == Some("*") && !value.text.starts_with("arn:aws:s3:") {
        let message = format!("`{}` reaches resources of every account", value.text);
        report
            .add(LintRule::AnyAccount, value.offset, message)
            .hint("name the account, unless access across accounts is meant");
    }
}

/// One key where a prefix was probably meant: jobs write below the path that they are given.
pub(super) fn exact_object_keys(
    statement: &Statement,
    resources: &[ResourceForm],
    acts_on_objects: bool,
    report: &mut Report<'_>,
) {
    if statement.effect != Some(Effect::Allow) || !acts_on_objects {
        return;
    }
    for resource in resources {
        let Some(rest) = resource
            .text
            .split_once(":s3:::")
            .map(|(_, rest)| rest)
            .filter(|_| matches!(resource.shape, Shape::Arn(_)))
        else {
            continue;
        };
        let Some((_, key)) = rest.split_once('/') else {
            continue;
        };
        let last = key.rsplit('/').next().unwrap_or_default();
        let looks_like_a_file = last.contains('.');
        if key.contains(['*', '?', '$', '<']) || looks_like_a_file {
            continue;
        }
        let message = format!(
            "`{}` matches one key exactly; a prefix was probably meant",
            resource.text
        );
        report
            .add(LintRule::ExactObjectKey, resource.offset, message)
            .hint(format!(
                "for everything below it write `{}/*`",
                resource.text.trim_end_matches('/')
            ));
    }
}

/// Placeholders that were not filled in, in any value of a statement.
pub(super) fn unfilled(statement: &Statement, report: &mut Report<'_>) {
    let elements = [&statement.action, &statement.resource, &statement.principal];
    let values = elements
        .into_iter()
        .flatten()
        .flat_map(|element| &element.values)
        .chain(
            statement
                .conditions
                .iter()
                .flat_map(|condition| &condition.values),
        );
    for value in values {
        let found = placeholder::placeholders(&value.text);
        let Some(first) = found.first() else {
            continue;
        };
        let names: Vec<String> = found.iter().map(|name| format!("`{name}`")).collect();
        let message = format!(
            "placeholder {} in `{}` was not filled in",
            names.join(", "),
            value.text
        );
        report
            .add(LintRule::Placeholder, value.offset, message)
            .hint(format!(
                "fill it in, or give `--define {}=VALUE`",
                quoted(first)
            ));
    }
}

fn quoted(name: &str) -> String {
    if name.contains(char::is_whitespace) {
        format!("'{name}'")
    } else {
        name.to_owned()
    }
}
