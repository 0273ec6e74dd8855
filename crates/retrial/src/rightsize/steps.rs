//! AWS CLI steps: from today's policies to the proposal, and back.
//!
//! What was there goes last: at no moment is less allowed than before or after.

use std::fmt::Write;

use retrial_replay::MAX_ATTACHED_POLICIES;
use serde_json::Value;

use super::current::{Current, CurrentPolicies};
use super::named::{INLINE_OF_SET, Named, NamedDocument, To, entity, last};

/// The two scripts, and the documents that the way back needs, by file name.
pub(crate) struct Steps {
    pub(crate) apply: String,
    pub(crate) rollback: String,
    pub(crate) before: Vec<(String, String)>,
}

const HEAD: &str =
    "#!/bin/sh\n# Run it in this folder, with credentials of the account.\nset -eu\n";

/// What the snapshot does not tell stands in variables.
const HEAD_OF_SET: &str = "#!/bin/sh\n\
    # Run it in this folder, with credentials of the organization's management account, or of the one that\n\
    # administers IAM Identity Center. The snapshot does not tell these two: name them in the environment.\n\
    set -eu\n\
    : \"${INSTANCE_ARN:?the ARN of the IAM Identity Center instance, arn:aws:sso:::instance/...}\"\n\
    : \"${PERMISSION_SET_ARN:?the ARN of the permission set, arn:aws:sso:::permissionSet/...}\"\n";

pub(crate) fn steps(named: &Named<'_>, current: &Current) -> Option<Steps> {
    let own = named.own(current)?;
    let head = match named.proposal.set() {
        Some(_) => HEAD_OF_SET,
        None => HEAD,
    };
    let mut steps = Steps {
        apply: head.to_owned(),
        rollback: head.to_owned(),
        before: Vec::new(),
    };
    let way = Way {
        named,
        own,
        kind: named.kind(),
        name: quoted(&named.proposal.name),
    };
    // Writing to a text cannot fail.
    let _ = match named.proposal.set() {
        Some(_) => way.write_set(&mut steps),
        None => way.write(&mut steps),
    };
    Some(steps)
}

/// The way from what a user, role or group has to a proposal.
struct Way<'w> {
    named: &'w Named<'w>,
    own: &'w CurrentPolicies,
    kind: &'static str,
    /// Quoted.
    name: String,
}

impl Steps {
    /// Keeps a document for the way back; gives the name of its file.
    fn keep(&mut self, document: &Value) -> String {
        let file = format!("before-{}.json", self.before.len() + 1);
        self.before.push((file.clone(), pretty(document)));
        file
    }
}

impl Way<'_> {
    fn write(&self, steps: &mut Steps) -> std::fmt::Result {
        let new = self.named.documents.iter();
        let new = new.filter(|one| matches!(one.to, To::Policy { .. }) && one.written.is_some());
        let at_once = new.count() + self.own.attached.len();
        if at_once > MAX_ATTACHED_POLICIES {
            writeln!(
                steps.apply,
                "# For a moment {at_once} managed policies are attached: IAM's quota of {MAX_ATTACHED_POLICIES} must be raised."
            )?;
        }
        for document in &self.named.documents {
            match (&document.to, &document.written) {
                (To::Policy { name, .. }, Some((file, _))) => {
                    writeln!(
                        steps.apply,
                        "aws iam create-policy --policy-name {} --policy-document file://{file}",
                        quoted(name)
                    )?;
                    self.attach(&mut steps.apply, "attach", document.arn())?;
                }
                (To::Version(arn, managed), Some((file, _))) => {
                    let arn = quoted(arn);
                    if let Some((version, was)) = managed.in_the_way() {
                        let kept = steps.keep(was);
                        writeln!(
                            steps.apply,
                            "# A policy has five versions at the most: the oldest one gives way (its document is {kept}).\n\
                             aws iam delete-policy-version --policy-arn {arn} --version-id {}",
                            quoted(version)
                        )?;
                    }
                    writeln!(
                        steps.apply,
                        "aws iam create-policy-version --policy-arn {arn} --policy-document file://{file} --set-as-default"
                    )?;
                }
                (To::Inline(name), Some((file, _))) => {
                    self.put_inline(&mut steps.apply, name, file)?;
                }
                _ => {}
            }
        }
        self.write_removals(&mut steps.apply)?;
        self.write_rollback(steps)
    }

    /// Managed policies that are detached.
    fn detached(&self) -> impl Iterator<Item = &str> {
        replaced(self.named, self.own)
    }

    /// Inline policies that are deleted.
    fn deleted(&self) -> impl Iterator<Item = &(String, Value)> {
        let put = |name: &str| {
            let mut documents = self.named.documents.iter();
            documents.any(|one| matches!(one.to, To::Inline(of) if of == name))
        };
        let is_edit = self
            .named
            .proposal
            .documents
            .iter()
            .any(|document| document.edit.is_some());
        let gone = |name: &str| {
            let mut documents = self.named.documents.iter();
            documents
                .any(|one| matches!(one.to, To::Inline(of) if of == name) && one.written.is_none())
        };
        let inline = self.own.inline.iter();
        inline.filter(move |(name, _)| gone(name) || (!is_edit && !put(name)))
    }

    fn write_removals(&self, out: &mut String) -> std::fmt::Result {
        for arn in self.detached() {
            self.attach(out, "detach", arn)?;
        }
        self.attach_to_all(out, "detach")?;
        for (policy, _) in self.deleted() {
            let (kind, name, policy) = (self.kind, &self.name, quoted(policy));
            writeln!(
                out,
                "aws iam delete-{kind}-policy --{kind}-name {name} --policy-name {policy}"
            )?;
        }
        Ok(())
    }

    fn write_rollback(&self, steps: &mut Steps) -> std::fmt::Result {
        let deleted = self.deleted().map(|(name, _)| name.as_str());
        let put = self.named.documents.iter().filter_map(|one| match one.to {
            To::Inline(name) if one.written.is_some() => Some(name),
            _ => None,
        });
        for name in deleted.chain(put) {
            let mut inline = self.own.inline.iter();
            if let Some((_, document)) = inline.find(|(of, _)| of == name) {
                let file = steps.keep(document);
                self.put_inline(&mut steps.rollback, name, &file)?;
            }
        }
        for arn in self.detached() {
            self.attach(&mut steps.rollback, "attach", arn)?;
        }
        self.attach_to_all(&mut steps.rollback, "attach")?;
        for document in &self.named.documents {
            match (&document.to, &document.written) {
                (To::Policy { arn, .. }, Some(_)) => {
                    self.attach(&mut steps.rollback, "detach", arn)?;
                    let arn = quoted(arn);
                    writeln!(steps.rollback, "aws iam delete-policy --policy-arn {arn}")?;
                }
                (To::Version(arn, managed), Some(_)) => {
                    let (arn, default) = (quoted(arn), quoted(&managed.default));
                    writeln!(
                        steps.rollback,
                        "new=$(aws iam get-policy --policy-arn {arn} --query Policy.DefaultVersionId --output text)\n\
                         aws iam set-default-policy-version --policy-arn {arn} --version-id {default}\n\
                         aws iam delete-policy-version --policy-arn {arn} --version-id \"$new\""
                    )?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn attach(&self, out: &mut String, verb: &str, arn: &str) -> std::fmt::Result {
        let (kind, name, arn) = (self.kind, &self.name, quoted(arn));
        writeln!(
            out,
            "aws iam {verb}-{kind}-policy --{kind}-name {name} --policy-arn {arn}"
        )
    }

    /// A policy of which nothing is left, and all who have it.
    fn attach_to_all(&self, out: &mut String, verb: &str) -> std::fmt::Result {
        let Some((policy, attached_to)) = self.named.detached_from_all() else {
            return Ok(());
        };
        let policy = quoted(policy);
        for arn in attached_to {
            let (kind, name) = entity(arn);
            let name = quoted(name);
            writeln!(
                out,
                "aws iam {verb}-{kind}-policy --{kind}-name {name} --policy-arn {policy}"
            )?;
        }
        Ok(())
    }

    fn put_inline(&self, out: &mut String, policy: &str, file: &str) -> std::fmt::Result {
        let (kind, name, policy) = (self.kind, &self.name, quoted(policy));
        writeln!(
            out,
            "aws iam put-{kind}-policy --{kind}-name {name} --policy-name {policy} --policy-document file://{file}"
        )
    }

    fn write_set(&self, steps: &mut Steps) -> std::fmt::Result {
        let written = self
            .named
            .documents
            .iter()
            .find_map(|one| one.written.as_ref());
        let put = |file: &str| {
            format!(
                "aws sso-admin put-inline-policy-to-permission-set {SET} --inline-policy file://{file}\n"
            )
        };
        let delete = format!("aws sso-admin delete-inline-policy-from-permission-set {SET}\n");
        let mut inline = self.own.inline.iter();
        let before = inline.find(|(name, _)| name == INLINE_OF_SET);
        if let Some((file, _)) = written {
            steps.apply.push_str(&put(file));
        }
        for arn in self.detached() {
            set_policy(&mut steps.apply, "detach", "from", arn)?;
            set_policy(&mut steps.rollback, "attach", "to", arn)?;
        }
        match (written, before) {
            (None, Some(_)) => steps.apply.push_str(&delete),
            (Some(_), None) => steps.rollback.push_str(&delete),
            _ => {}
        }
        if let Some((_, document)) = before {
            let file = steps.keep(document);
            steps.rollback.push_str(&put(&file));
        }
        for script in [&mut steps.apply, &mut steps.rollback] {
            writeln!(
                script,
                "aws sso-admin provision-permission-set {SET} --target-type ALL_PROVISIONED_ACCOUNTS"
            )?;
        }
        Ok(())
    }
}

const SET: &str = "--instance-arn \"$INSTANCE_ARN\" --permission-set-arn \"$PERMISSION_SET_ARN\"";

fn set_policy(out: &mut String, verb: &str, preposition: &str, arn: &str) -> std::fmt::Result {
    if arn.contains(":iam::aws:") {
        let arn = quoted(arn);
        return writeln!(
            out,
            "aws sso-admin {verb}-managed-policy-{preposition}-permission-set {SET} --managed-policy-arn {arn}"
        );
    }
    let path = arn.split_once(":policy").map_or("/", |(_, name)| name);
    let path = path.get(..=path.rfind('/').unwrap_or(0)).unwrap_or("/");
    let reference = quoted(&format!("Name={},Path={path}", last(arn)));
    writeln!(
        out,
        "aws sso-admin {verb}-customer-managed-policy-reference-{preposition}-permission-set {SET} \
         --customer-managed-policy-reference {reference}"
    )
}

/// The attached policies whose place the proposal takes, and which do not stay for a new version.
pub(crate) fn replaced<'c>(
    named: &'c Named<'_>,
    current: &'c CurrentPolicies,
) -> impl Iterator<Item = &'c str> {
    let replaced = &named.proposal.replaced;
    let attached = current.attached.iter();
    attached
        .filter(|arn| replaced.contains(arn) && !named.has_version_of(arn))
        .map(String::as_str)
}

impl NamedDocument<'_> {
    fn arn(&self) -> &str {
        match &self.to {
            To::Policy { arn, .. } => arn,
            To::Version(arn, _) => arn,
            To::Inline(_) | To::Set => "",
        }
    }
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
    use super::{quoted, set_policy};

    #[test]
    fn names_are_no_commands() {
        assert_eq!(quoted("ops-deploy"), "ops-deploy");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("$(rm -rf .)'; x"), r"'$(rm -rf .)'\''; x'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn sets_name_policies_of_accounts_by_path_and_name() {
        let mut out = String::new();
        let arn = "arn:aws:iam::111122223333:policy/a/b/team";
        assert_eq!(set_policy(&mut out, "detach", "from", arn), Ok(()));
        assert!(
            out.ends_with("--customer-managed-policy-reference Name=team,Path=/a/b/\n"),
            "{out}"
        );
    }
}
