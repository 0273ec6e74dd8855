//! Real documents.

use retrial_iam::{CompiledPolicy, ManagedPolicies};

#[test]
fn every_aws_managed_policy_compiles() {
    let policies = ManagedPolicies::bundled();
    let mut statements = 0;
    for arn in policies.arns() {
        let document = policies.get(&arn).unwrap().document;
        match CompiledPolicy::identity(&document) {
            Ok(policy) => statements += policy.statement_count(),
            Err(error) => panic!("{arn}: {error}"),
        }
    }
    assert!(statements > 2000, "{statements}");
}
