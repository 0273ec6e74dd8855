//! What AWS's own error message says was denied, on what, and by which layer.
//!
//! The forms are those of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>, with the
//! older ones without a reason. CloudTrail cuts messages at 1 KB, so a cut one yields what it has.

use retrial_cloudtrail::Record;
use retrial_iam::Layer;

use crate::Outcome;

/// What an error message names. Each part is there only where the message has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Denial<'a> {
    /// The action, as the message spells it.
    pub action: Option<&'a str>,
    /// The resource: an ARN, `*`, or words such as `user Bob`.
    pub resource: Option<&'a str>,
    /// The layer that denied, or that did not allow.
    pub layer: Option<Layer>,
}

/// What AWS's own message says of a record, where its call was denied.
pub(crate) fn denial_of<'a>(record: &Record<'a>) -> Denial<'a> {
    match Outcome::of_error_code(record.error_code) {
        Outcome::Denied => record.error_message.map(denial).unwrap_or_default(),
        _ => Denial::default(),
    }
}

impl<'a> Denial<'a> {
    /// The ARN that AWS compared for this action, where the message names one. A `*` in it may be
    /// AWS's own abbreviation, and names nothing.
    pub(crate) fn names(&self, action: &str) -> Option<&'a str> {
        let (Some(denied), Some(arn)) = (self.action, self.resource) else {
            return None;
        };
        let is_whole = arn.starts_with("arn:") && !arn.contains('*');
        (is_whole && denied.eq_ignore_ascii_case(action)).then_some(arn)
    }
}

const PERFORM: &str = "is not authorized to perform: ";
const ON_RESOURCE: &str = " on resource: ";
/// What stands behind the resource, or behind the action where no resource is named.
const ENDS: [&str; 5] = [
    " because ",
    " with an explicit deny",
    " on the specified resource",
    "\n",
    " on resource: ",
];

/// Reads an `errorMessage`.
pub fn denial(message: &str) -> Denial<'_> {
    let Some((_, rest)) = message.split_once(PERFORM) else {
        return Denial {
            layer: layer(message),
            ..Denial::default()
        };
    };
    let action = rest
        .split([' ', '\n', ','])
        .next()
        .map(|action| action.trim_end_matches('.'))
        .filter(|action| !action.is_empty());
    let resource = rest
        .split_once(ON_RESOURCE)
        .map(|(_, text)| until_end(text).trim())
        .filter(|resource| !resource.is_empty());
    Denial {
        action,
        resource,
        layer: layer(rest),
    }
}

fn until_end(text: &str) -> &str {
    let end = ENDS
        .iter()
        .filter_map(|end| text.find(end))
        .min()
        .unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

/// The layer that a message blames: `because no … allows` or `with an explicit deny in a …`.
fn layer(message: &str) -> Option<Layer> {
    let blamed = message
        .split_once("because no ")
        .or_else(|| message.split_once("with an explicit deny in a"))
        .map(|(_, rest)| rest.strip_prefix("n ").unwrap_or(rest).trim_start())?;
    [
        ("identity-based policy", Layer::Identity),
        ("resource-based policy", Layer::Resource),
        ("permissions boundary", Layer::PermissionsBoundary),
        ("session policy", Layer::Session),
        ("service control policy", Layer::Scp),
        ("resource control policy", Layer::Rcp),
        ("VPC endpoint policy", Layer::VpcEndpoint),
        ("role trust policy", Layer::Resource),
    ]
    .into_iter()
    .find(|(words, _)| blamed.starts_with(words))
    .map(|(_, layer)| layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, action: Option<&str>, resource: Option<&str>, layer: Option<Layer>) {
        assert_eq!(
            denial(message),
            Denial {
                action,
                resource,
                layer
            }
        );
    }

    #[test]
    fn messages() {
        check(
            "User: arn:aws:iam::111122223333:user/Ana is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action",
            Some("kms:CreateKey"),
            Some("*"),
            Some(Layer::Identity),
        );
        check(
            "User: arn:aws:iam::111122223333:user/Ana is not authorized to perform: iam:GetUser on resource: user Ana Maria because no identity-based policy allows the iam:GetUser action",
            Some("iam:GetUser"),
            Some("user Ana Maria"),
            Some(Layer::Identity),
        );
        check(
            "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/Ana is not authorized to perform: ec2:DescribeVpcs with an explicit deny in a service control policy",
            Some("ec2:DescribeVpcs"),
            None,
            Some(Layer::Scp),
        );
        check(
            "User: x is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b/k\" with an explicit deny in an identity-based policy",
            Some("s3:PutObject"),
            Some("\"arn:aws:s3:::b/k\""),
            Some(Layer::Identity),
        );
        check(
            "User: x is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/r",
            Some("sts:AssumeRole"),
            Some("arn:aws:iam::1:role/r"),
            None,
        );
        check(
            "User: x is not authorized to perform: sns:Publish on the specified resource",
            Some("sns:Publish"),
            None,
            None,
        );
        check("Access Denied", None, None, None);
        check("", None, None, None);
        check("is not authorized to perform: ", None, None, None);
    }
}
