//! AWS managed keys: their policy has a known form.
//!
//! It allows everybody in the account who comes through the service that the key is for, without any
//! identity policy: `Principal: {"AWS": "*"}` with `kms:CallerAccount` and `kms:ViaService`; and the
//! account to look at the key.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk>

use super::Question;
use crate::context::{KeyState, Values};
use crate::policy::PrincipalTruth;
use crate::truth::Truth;

const ALIAS_PREFIX: &str = "alias/aws/";

/// What everybody in the account may do through the service.
const THROUGH_SERVICE: [&str; 9] = [
    "creategrant",
    "decrypt",
    "describekey",
    "encrypt",
    "generatedatakey",
    "generatedatakeypair",
    "generatedatakeypairwithoutplaintext",
    "generatedatakeywithoutplaintext",
    "reencryptfrom",
];

/// Keys whose service goes by another name in `kms:ViaService`.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>
const VIA_SERVICE: [(&str, &str); 2] = [("ebs", "ec2"), ("acm", "acm")];

/// Whether the request names its key by the alias of an AWS managed one; the alias's last part.
pub(super) fn managed_key_service<'a>(question: &Question<'a>) -> Option<&'a str> {
    match question.keys.state("kms:RequestAlias") {
        KeyState::Known(Values::One(alias)) => alias.strip_prefix(ALIAS_PREFIX),
        _ => None,
    }
}

/// What the key's policy allows the caller.
pub(super) fn managed_key_allows(
    service: &str,
    account: &str,
    question: &Question<'_>,
) -> PrincipalTruth {
    let everybody = caller_account(account, question).and(via_service(service, question));
    let name = question.action.name;
    let is_use = THROUGH_SERVICE.contains(&name) || name == "reencryptto";
    let looks = name.starts_with("describe") || name.starts_with("get") || name.starts_with("list");
    PrincipalTruth {
        caller: everybody.and(Truth::from(is_use)),
        principal: everybody.and(Truth::from(is_use)),
        account: everybody
            .and(Truth::from(is_use))
            .or(Truth::from(looks || name == "revokegrant")),
    }
}

fn caller_account(account: &str, question: &Question<'_>) -> Truth {
    match question.keys.state("kms:CallerAccount") {
        KeyState::Known(Values::One(found)) => Truth::from(found == account),
        _ => Truth::from(question.account == Some(account)),
    }
}

fn via_service(service: &str, question: &Question<'_>) -> Truth {
    let wanted = VIA_SERVICE
        .iter()
        .find(|(alias, _)| *alias == service)
        .map_or(service, |(_, via)| via);
    match question.keys.state("kms:ViaService") {
        KeyState::Known(Values::One(found)) => match found.split('.').next() {
            Some(via) if via == wanted => Truth::True,
            // Not all of these names are documented.
            _ => Truth::Unknown,
        },
        KeyState::Known(Values::Many(_)) | KeyState::Absent => Truth::False,
        KeyState::Unknown => Truth::Unknown,
    }
}
