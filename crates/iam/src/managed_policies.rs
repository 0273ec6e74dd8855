//! The AWS managed policies that are compiled in, for snapshots that do not carry them.

use std::{borrow::Cow, sync::OnceLock};

use crate::CompiledPolicy;
use crate::catalogue::{FoldedIndex, inflate, split_index};

const FILE: &[u8] = include_bytes!("../data/aws-managed-policies.bin");

/// The default versions of the AWS managed policies at one date. `scripts/refresh-managed-policies`
/// makes them and describes their file; a block of documents is decompressed when one is asked for.
#[derive(Debug)]
pub struct ManagedPolicies {
    source: String,
    date: String,
    blocks: Vec<Block>,
    policies: Vec<Entry>,
    index: FoldedIndex,
}

/// One AWS managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// `AdministratorAccess`, `service-role/AWSLambdaRole`: what follows `policy/` in its ARN.
    pub path_and_name: &'static str,
    /// Its default version: `v3`.
    pub version: &'static str,
    /// The day of that version: `2026-09-30`.
    pub updated: &'static str,
    /// Its document, in the partition of the ARN that was asked for.
    pub document: Cow<'static, str>,
}

#[derive(Debug)]
struct Block {
    compressed: &'static [u8],
    text_length: usize,
    text: OnceLock<Option<String>>,
}

#[derive(Debug)]
struct Entry {
    path_and_name: String,
    version: String,
    updated: String,
    block: usize,
    start: usize,
    length: usize,
    /// Per partition of [`PARTITIONS`], made when it is asked for.
    compiled: [OnceLock<Option<Box<CompiledPolicy>>>; PARTITIONS.len()],
}

/// The partitions whose compiled policies are kept.
const PARTITIONS: [&str; 3] = ["aws", "aws-cn", "aws-us-gov"];

impl ManagedPolicies {
    /// The copy that is compiled in; its index is decoded on first use.
    pub fn bundled() -> &'static ManagedPolicies {
        static BUNDLED: OnceLock<ManagedPolicies> = OnceLock::new();
        BUNDLED.get_or_init(|| {
            #[expect(clippy::expect_used, reason = "a copy that silently lost its policies would change decisions; a test decodes the compiled-in file")]
            ManagedPolicies::decode(FILE).expect("the compiled-in managed policies are well-formed")
        })
    }

    fn decode(file: &'static [u8]) -> Option<Self> {
        let (text, mut rest) = split_index(file)?;
        let (mut source, mut date) = (String::new(), String::new());
        let (mut blocks, mut policies) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields.as_slice() {
                ["source", package, version, newest] => {
                    source = format!("{package} {version}");
                    date = (*newest).to_owned();
                }
                ["block", length, text_length] => {
                    let compressed;
                    (compressed, rest) = rest.split_at_checked(length.parse().ok()?)?;
                    blocks.push(Block {
                        compressed,
                        text_length: text_length.parse().ok()?,
                        text: OnceLock::new(),
                    });
                }
                [
                    "policy",
                    path_and_name,
                    version,
                    updated,
                    block,
                    start,
                    length,
                ] => policies.push(Entry {
                    path_and_name: (*path_and_name).to_owned(),
                    version: (*version).to_owned(),
                    updated: (*updated).to_owned(),
                    block: block.parse().ok()?,
                    start: start.parse().ok()?,
                    length: length.parse().ok()?,
                    compiled: Default::default(),
                }),
                _ => return None,
            }
        }
        let index = FoldedIndex::new(policies.iter().map(|policy| policy.path_and_name.as_str()));
        Some(Self {
            source,
            date,
            blocks,
            policies,
            index,
        })
    }

    /// Where the copy is from: `moto 5.2.5`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The day of the newest policy version in it; AWS may have changed policies since.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The ARNs of all policies, in the partition `aws`.
    pub fn arns(&self) -> impl Iterator<Item = String> {
        self.policies
            .iter()
            .map(|policy| format!("arn:aws:iam::aws:policy/{}", policy.path_and_name))
    }

    /// The policy with this ARN, compiled once; `None` also in partitions other than AWS's three
    /// public ones.
    pub fn compiled(&'static self, arn: &str) -> Option<&'static CompiledPolicy> {
        let (partition, entry) = self.find(arn)?;
        let place = PARTITIONS.iter().position(|known| *known == partition)?;
        let compile = || {
            let document = self.get(arn)?.document;
            CompiledPolicy::identity(&document).ok().map(Box::new)
        };
        entry.compiled.get(place)?.get_or_init(compile).as_deref()
    }

    /// The partition in the ARN of a managed policy, and the policy.
    fn find<'t>(&'static self, arn: &'t str) -> Option<(&'t str, &'static Entry)> {
        let (partition, path_and_name) =
            arn.strip_prefix("arn:")?.split_once(":iam::aws:policy/")?;
        if !partition.starts_with("aws") || partition.contains(':') {
            return None;
        }
        let entry = self.policies.get(self.index.get(path_and_name, |number| {
            self.policies
                .get(number)
                .map(|policy| policy.path_and_name.as_str())
        })?)?;
        // The index ignores case; policy names do not.
        (entry.path_and_name == path_and_name).then_some((partition, entry))
    }

    /// The policy with this ARN, in any partition (`arn:aws-cn:iam::aws:policy/ReadOnlyAccess`).
    /// For another partition than `aws` the ARNs in its document are those of that partition.
    pub fn get(&'static self, arn: &str) -> Option<ManagedPolicy> {
        let (partition, entry) = self.find(arn)?;
        let block = self.blocks.get(entry.block)?;
        let text = block
            .text
            .get_or_init(|| inflate(block.compressed, block.text_length))
            .as_deref()?;
        let document = text.get(entry.start..entry.start.checked_add(entry.length)?)?;
        let document = match partition {
            "aws" => Cow::Borrowed(document),
            _ => Cow::Owned(document.replace("\"arn:aws:", &format!("\"arn:{partition}:"))),
        };
        Some(ManagedPolicy {
            path_and_name: &entry.path_and_name,
            version: &entry.version,
            updated: &entry.updated,
            document,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;
    use crate::CompiledPolicy;

    #[test]
    fn every_policy_of_the_compiled_in_file_compiles() {
        let policies = ManagedPolicies::bundled();
        let mut count = 0;
        for arn in policies.arns() {
            let policy = policies.get(&arn).unwrap();
            let compiled = CompiledPolicy::identity(&policy.document);
            assert!(compiled.is_ok(), "{arn}: {}", compiled.unwrap_err());
            count += 1;
        }
        assert_eq!(
            (count, policies.source(), policies.date()),
            (1582, "moto 5.2.5", "2026-09-30")
        );
    }

    #[test]
    fn looks_up_by_arn_in_any_partition() {
        let policies = ManagedPolicies::bundled();
        let get = |arn: &str| policies.get(arn);
        let administrator = get("arn:aws:iam::aws:policy/AdministratorAccess").unwrap();
        assert_eq!(
            administrator.document,
            r#"{"Statement":[{"Action":"*","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}"#
        );
        assert_eq!(
            (administrator.version, administrator.updated),
            ("v1", "2015-02-06")
        );
        assert!(get("arn:aws:iam::aws:policy/service-role/AWSLambdaRole").is_some());
        // The path belongs to the name, and so does the case.
        assert!(get("arn:aws:iam::aws:policy/AWSLambdaRole").is_none());
        assert!(get("arn:aws:iam::aws:policy/administratoraccess").is_none());
        assert!(get("arn:aws:iam::111122223333:policy/AdministratorAccess").is_none());
        let beijing = get("arn:aws-cn:iam::aws:policy/AmazonSageMakerFullAccess").unwrap();
        assert!(beijing.document.contains("\"arn:aws-cn:s3:::"));
        assert!(!beijing.document.contains("\"arn:aws:"));
    }

    #[test]
    fn compiles_once_in_the_public_partitions() {
        let policies = ManagedPolicies::bundled();
        let read_only = "arn:aws:iam::aws:policy/ReadOnlyAccess";
        let once = policies.compiled(read_only).unwrap();
        assert!(std::ptr::eq(once, policies.compiled(read_only).unwrap()));
        let beijing = policies.compiled("arn:aws-cn:iam::aws:policy/ReadOnlyAccess");
        assert!(!std::ptr::eq(once, beijing.unwrap()));
        assert!(policies.compiled("arn:aws-xy:iam::aws:policy/ReadOnlyAccess").is_none());
        assert!(policies.compiled("arn:aws:iam::aws:policy/NoSuchPolicy").is_none());
    }

    #[test]
    fn a_broken_file_has_no_policies() {
        assert!(ManagedPolicies::decode(&[]).is_none());
        assert!(ManagedPolicies::decode(FILE.get(..FILE.len() - 1).unwrap()).is_none());
    }
}
