//! What CloudTrail adds to enriched events: condition keys that AWS evaluated, and tags.
//!
//! Only the keys and tags that the event data store asks for are there: what is not stays as it is.
//! See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-context-events.html>.

use bumpalo::collections::Vec as BumpVec;
use retrial_cloudtrail::{Json, JsonKind};
use retrial_iam::{KeyState, Values};

use super::MappedResource;
use super::view::View;

type Keys<'a> = BumpVec<'a, (&'a str, KeyState<'a>)>;

/// Adds what the record's `eventContext` says for a request about this resource.
pub(super) fn add<'a>(
    context: Json<'a>,
    action: &str,
    resource: &MappedResource<'a>,
    view: &View<'a, '_>,
    keys: &mut Keys<'a>,
) {
    if let Some(request) = context.get("requestContext") {
        let evaluated = request.get("conditionKeys").unwrap_or(request);
        for (name, value) in evaluated.members().filter(|(name, _)| name.contains(':')) {
            keys.extend(state(value, view).map(|state| (name, state)));
        }
    }
    let Some(tags) = context.get("tagContext") else {
        return;
    };
    if let Some(principal) = tags.get("principalTags") {
        tag_keys(principal, "aws:PrincipalTag/", view, keys);
    }
    let MappedResource::Arn { arn, .. } = *resource else {
        return;
    };
    let service = action.split(':').next().unwrap_or_default();
    let of_resource = tags.get("resourceTags").into_iter().flat_map(Json::items);
    for item in of_resource.filter(|item| item.get("arn").and_then(Json::as_str) == Some(arn)) {
        if let Some(tags) = item.get("tags") {
            tag_keys(tags, "aws:ResourceTag/", view, keys);
            let own = bumpalo::format!(in view.arena, "{}:ResourceTag/", service);
            tag_keys(tags, &own, view, keys);
        }
    }
}

fn tag_keys<'a>(tags: Json<'a>, prefix: &str, view: &View<'a, '_>, keys: &mut Keys<'a>) {
    for (name, value) in tags.members() {
        if let Some(value) = value.as_str() {
            let key = bumpalo::format!(in view.arena, "{}{}", prefix, name).into_bump_str();
            keys.push((key, KeyState::Known(Values::One(value))));
        }
    }
}

fn state<'a>(value: Json<'a>, view: &View<'a, '_>) -> Option<KeyState<'a>> {
    match value.kind() {
        JsonKind::String => value.as_str().map(Values::One).map(KeyState::Known),
        JsonKind::Bool => value
            .as_bool()
            .map(|truth| KeyState::Known(Values::One(if truth { "true" } else { "false" }))),
        JsonKind::Number => value
            .number_text()
            .map(|text| KeyState::Known(Values::One(view.arena.alloc_str(&text)))),
        JsonKind::Array => {
            let mut values = BumpVec::new_in(view.arena);
            values.extend(value.items().filter_map(Json::as_str));
            Some(KeyState::Known(Values::Many(values.into_bump_slice())))
        }
        JsonKind::Object | JsonKind::Null => None,
    }
}
