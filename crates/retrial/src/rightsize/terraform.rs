//! The proposal as Terraform.
//!
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_policy>
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ssoadmin_permission_set_inline_policy>

use std::fmt::Write;

use super::current::{Current, CurrentManaged};
use super::named::{INLINE_OF_SET, Named, NamedDocument, To, last};
use super::steps::replaced;
use crate::printer::printable;

pub(crate) fn file(named: &Named<'_>, current: &Current) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write_file(&mut out, named, current);
    out
}

fn write_file(out: &mut String, named: &Named<'_>, current: &Current) -> std::fmt::Result {
    write_gone(out, named, current)?;
    if named.proposal.set().is_some() {
        writeln!(
            out,
            "variable \"instance_arn\" {{\n  description = \"The ARN of the IAM Identity Center instance: the snapshot does not tell it\"\n  type        = string\n}}\n"
        )?;
        writeln!(
            out,
            "variable \"permission_set_arn\" {{\n  description = \"The ARN of the permission set: the snapshot does not tell it\"\n  type        = string\n}}\n"
        )?;
    }
    let is_there = |document: &NamedDocument<'_>| {
        matches!(document.to, To::Inline(_) | To::Version(..)) && document.written.is_some()
    };
    if named.documents.iter().any(is_there) {
        writeln!(
            out,
            "# These are there already, and imported. Where your configuration has them, it is enough to let their\n\
             # policy be the file.\n"
        )?;
    }
    for document in &named.documents {
        if let Some((file, _)) = &document.written {
            write_document(out, named, (document, file))?;
        }
    }
    Ok(())
}

/// What is to leave the configuration, as comments.
fn write_gone(out: &mut String, named: &Named<'_>, current: &Current) -> std::fmt::Result {
    let Some(own) = named.own(current) else {
        return Ok(());
    };
    let stays = |name: &str| {
        let mut documents = named.documents.iter();
        let is_edit = named
            .proposal
            .documents
            .iter()
            .any(|one| one.edit.is_some());
        let found = documents.find(|one| matches!(one.to, To::Inline(of) if of == name));
        match found {
            Some(document) => document.written.is_some(),
            None => is_edit || (named.proposal.set().is_some() && name == INLINE_OF_SET),
        }
    };
    let inline = own.inline.iter().filter(|(name, _)| !stays(name));
    let inline = inline.map(|(name, _)| format!("inline policy {name}"));
    let attached = replaced(named, own).map(str::to_owned);
    let from_all = named.detached_from_all();
    let from_all = from_all.map(|(policy, attached_to)| {
        let attached_to: Vec<&str> = attached_to.iter().map(String::as_str).collect();
        format!("{policy}, attached to {}", attached_to.join(", "))
    });
    let gone: Vec<String> = inline.chain(attached).chain(from_all).collect();
    if gone.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "# These take the place of what is to leave your configuration:"
    )?;
    for gone in gone {
        writeln!(out, "# {}", printable(&gone))?;
    }
    writeln!(out)
}

fn write_document(
    out: &mut String,
    named: &Named<'_>,
    (document, file): (&NamedDocument<'_>, &str),
) -> std::fmt::Result {
    let kind = named.kind();
    let principal = quoted(&named.proposal.name);
    let policy = format!("file(\"${{path.module}}/{file}\")");
    let number = file.trim_start_matches("policy-").trim_end_matches(".json");
    // Names that differ in a sign have the same label.
    let numbered = |name: &str| format!("{}-{number}", label(name));
    match &document.to {
        To::Policy { name, .. } => {
            let label = label(name);
            let name = quoted(name);
            writeln!(
                out,
                "resource \"aws_iam_policy\" \"{label}\" {{\n  name   = {name}\n  policy = {policy}\n}}\n"
            )?;
            writeln!(
                out,
                "resource \"aws_iam_{kind}_policy_attachment\" \"{label}\" {{\n  {kind}       = {principal}\n  \
                 policy_arn = aws_iam_policy.{label}.arn\n}}\n"
            )
        }
        To::Inline(name) => {
            let label = numbered(name);
            let id = quoted(&format!("{}:{name}", named.proposal.name));
            writeln!(
                out,
                "import {{\n  to = aws_iam_{kind}_policy.{label}\n  id = {id}\n}}\n"
            )?;
            let name = quoted(name);
            writeln!(
                out,
                "resource \"aws_iam_{kind}_policy\" \"{label}\" {{\n  name   = {name}\n  {kind}   = {principal}\n  \
                 policy = {policy}\n}}\n"
            )
        }
        To::Version(arn, managed) => {
            write_version(out, (arn, managed), (&numbered(last(arn)), &policy))
        }
        To::Set => writeln!(
            out,
            "resource \"aws_ssoadmin_permission_set_inline_policy\" \"{}\" {{\n  \
             instance_arn       = var.instance_arn\n  permission_set_arn = var.permission_set_arn\n  \
             inline_policy      = {policy}\n}}\n",
            label(&named.proposal.name)
        ),
    }
}

fn write_version(
    out: &mut String,
    (arn, managed): (&str, &CurrentManaged),
    (label, policy): (&str, &str),
) -> std::fmt::Result {
    let id = quoted(arn);
    writeln!(
        out,
        "import {{\n  to = aws_iam_policy.{label}\n  id = {id}\n}}\n"
    )?;
    let (name, path) = (quoted(last(arn)), quoted(&managed.path));
    // A description cannot be changed without making the policy anew, and no snapshot has it.
    writeln!(
        out,
        "resource \"aws_iam_policy\" \"{label}\" {{\n  name   = {name}\n  path   = {path}\n  policy = {policy}\n\n  \
         lifecycle {{\n    ignore_changes = [description, tags]\n  }}\n}}\n"
    )
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
