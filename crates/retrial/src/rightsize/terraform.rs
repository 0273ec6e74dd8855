//! The proposal as Terraform.
//!
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_policy>

use std::fmt::Write;

use super::current::CurrentPolicies;
use super::named::Named;
use super::steps::replaced;
use crate::printer::printable;

pub(crate) fn file(named: &Named<'_>, current: Option<&CurrentPolicies>) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write_file(&mut out, named, current);
    out
}

fn write_file(
    out: &mut String,
    named: &Named<'_>,
    current: Option<&CurrentPolicies>,
) -> std::fmt::Result {
    let kind = named.kind();
    let inline = current.iter().flat_map(|current| &current.inline);
    let inline = inline.map(|(name, _)| format!("inline policy {name}"));
    let attached = current.iter().flat_map(|current| replaced(named, current));
    let gone: Vec<String> = inline.chain(attached.map(str::to_owned)).collect();
    if !gone.is_empty() {
        writeln!(
            out,
            "# These take the place of what is to leave your configuration:"
        )?;
        for gone in gone {
            writeln!(out, "# {}", printable(&gone))?;
        }
        writeln!(out)?;
    }
    for (number, policy) in (1..).zip(&named.policies) {
        let label = label(policy);
        writeln!(out, "resource \"aws_iam_policy\" \"{label}\" {{")?;
        writeln!(out, "  name   = {}", quoted(policy))?;
        writeln!(
            out,
            "  policy = file(\"${{path.module}}/policy-{number}.json\")"
        )?;
        writeln!(out, "}}\n")?;
        writeln!(
            out,
            "resource \"aws_iam_{kind}_policy_attachment\" \"{label}\" {{"
        )?;
        writeln!(out, "  {kind}       = {}", quoted(&named.proposal.name))?;
        writeln!(out, "  policy_arn = aws_iam_policy.{label}.arn")?;
        writeln!(out, "}}\n")?;
    }
    Ok(())
}

/// A name of Terraform's: letters, digits, `_`, `-`; no digit first.
fn label(name: &str) -> String {
    let mut label: String = name
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => character,
            _ => '_',
        })
        .collect();
    if !label.starts_with(|character: char| character.is_ascii_alphabetic()) {
        label.insert(0, '_');
    }
    label
}

/// A quoted template of HCL without anything that it would fill in.
/// <https://developer.hashicorp.com/terraform/language/expressions/strings>
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "$${")
        .replace("%{", "%%{");
    let plain: String = escaped.chars().filter(|next| !next.is_control()).collect();
    format!("\"{plain}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_code() {
        assert_eq!(label("ops+deploy@x-1"), "ops_deploy_x-1");
        assert_eq!(label("1x"), "_1x");
        assert_eq!(quoted("a\"${x}\\\n"), "\"a\\\"$${x}\\\\\"");
    }
}
