//! AWS CLI steps: from today's policies to the proposal, and back.

use std::fmt::Write;

use retrial_replay::MAX_ATTACHED_POLICIES;
use serde_json::Value;

use super::current::CurrentPolicies;
use super::named::Named;

/// The two scripts, and the documents that the way back needs, by file name.
pub(crate) struct Steps {
    pub(crate) apply: String,
    pub(crate) rollback: String,
    pub(crate) before: Vec<(String, String)>,
}

const HEAD: &str =
    "#!/bin/sh\n# Run it in this folder, with credentials of the account.\nset -eu\n";

pub(crate) fn steps(named: &Named<'_>, current: &CurrentPolicies) -> Steps {
    let mut apply = HEAD.to_owned();
    let mut rollback = HEAD.to_owned();
    let mut before = Vec::new();
    // Writing to a text cannot fail.
    let _ = write_apply(&mut apply, named, current);
    let _ = write_rollback(&mut rollback, named, (current, &mut before));
    Steps {
        apply,
        rollback,
        before,
    }
}

fn write_apply(out: &mut String, named: &Named<'_>, current: &CurrentPolicies) -> std::fmt::Result {
    let kind = named.kind();
    let name = quoted(&named.proposal.name);
    let at_once = named.policies.len() + current.attached.len();
    if at_once > MAX_ATTACHED_POLICIES {
        writeln!(
            out,
            "# For a moment {at_once} managed policies are attached: IAM's quota of {MAX_ATTACHED_POLICIES} must be raised."
        )?;
    }
    for (number, policy) in (1..).zip(&named.policies) {
        writeln!(
            out,
            "aws iam create-policy --policy-name {} --policy-document file://policy-{number}.json",
            quoted(policy)
        )?;
        let arn = quoted(&named.policy_arn(policy));
        writeln!(
            out,
            "aws iam attach-{kind}-policy --{kind}-name {name} --policy-arn {arn}"
        )?;
    }
    // What was there goes last: at no moment is less allowed than before or after.
    for arn in replaced(named, current) {
        let arn = quoted(arn);
        writeln!(
            out,
            "aws iam detach-{kind}-policy --{kind}-name {name} --policy-arn {arn}"
        )?;
    }
    for (policy, _) in &current.inline {
        let policy = quoted(policy);
        writeln!(
            out,
            "aws iam delete-{kind}-policy --{kind}-name {name} --policy-name {policy}"
        )?;
    }
    Ok(())
}

fn write_rollback(
    out: &mut String,
    named: &Named<'_>,
    (current, before): (&CurrentPolicies, &mut Vec<(String, String)>),
) -> std::fmt::Result {
    let kind = named.kind();
    let name = quoted(&named.proposal.name);
    for (number, (policy, document)) in (1..).zip(&current.inline) {
        let file = format!("before-{number}.json");
        writeln!(
            out,
            "aws iam put-{kind}-policy --{kind}-name {name} --policy-name {} --policy-document file://{file}",
            quoted(policy)
        )?;
        before.push((file, pretty(document)));
    }
    for arn in replaced(named, current) {
        let arn = quoted(arn);
        writeln!(
            out,
            "aws iam attach-{kind}-policy --{kind}-name {name} --policy-arn {arn}"
        )?;
    }
    for policy in &named.policies {
        let arn = quoted(&named.policy_arn(policy));
        writeln!(
            out,
            "aws iam detach-{kind}-policy --{kind}-name {name} --policy-arn {arn}"
        )?;
        writeln!(out, "aws iam delete-policy --policy-arn {arn}")?;
    }
    Ok(())
}

/// The attached policies whose place the proposal takes.
pub(crate) fn replaced<'c>(
    named: &'c Named<'_>,
    current: &'c CurrentPolicies,
) -> impl Iterator<Item = &'c str> {
    let replaced = &named.proposal.replaced;
    let attached = current.attached.iter();
    attached
        .filter(|arn| replaced.contains(arn))
        .map(String::as_str)
}

fn pretty(document: &Value) -> String {
    format!("{document:#}\n")
}

/// A word for a shell, whatever stands in it.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-:/".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        // A line end in a name is no name of IAM's; in quotes it does no harm.
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn names_are_no_commands() {
        assert_eq!(quoted("ops-deploy"), "ops-deploy");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("$(rm -rf .)'; x"), r"'$(rm -rf .)'\''; x'");
        assert_eq!(quoted(""), "''");
    }
}
