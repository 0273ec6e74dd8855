//! What a data file becomes: for each event the requests, ready to be filled from a record.

use std::sync::{Arc, OnceLock};

use bumpalo::collections::Vec as BumpVec;
use retrial_iam::{Action, Catalogue, KeyState};
use rustc_hash::FxHashMap;

use super::condition::{Condition, Holds};
use super::event_context;
use super::keys::{KeyPlan, KeySource};
use super::kinds::Kinds;
use super::resource::{Found, How, Origin, ResourcePlan};
use super::template::{Template, account_of};
use super::view::View;
use super::{Certainty, Mapped, MappedRequest, MappedResource};

/// Most requests are about one resource, or two.
const USUAL_TARGETS: usize = 2;

/// One service: its events, its resources and the keys that its requests feed.
#[derive(Debug)]
pub(super) struct ServicePlan {
    pub(super) service: Box<str>,
    /// The data file, where there is one.
    pub(super) file: Option<&'static str>,
    pub(super) events: FxHashMap<Box<str>, EventPlan>,
    /// `Get*` and the like, in the file's order.
    pub(super) event_prefixes: Vec<(Box<str>, EventPlan)>,
    pub(super) resources: FxHashMap<Box<str>, Arc<ResourcePlan>>,
    pub(super) keys: Vec<KeyPlan>,
    /// Its resource types; taken apart when its first event occurs.
    pub(super) kinds: OnceLock<Kinds>,
    /// For each action the event of the same name, planned when it first occurs.
    pub(super) same_name: FxHashMap<&'static str, (Action<'static>, OnceLock<EventPlan>)>,
    pub(super) same_name_certainty: Certainty,
    pub(super) names_certainty: Certainty,
    pub(super) lower_case: bool,
    pub(super) nested: bool,
    pub(super) made_by: Vec<String>,
    /// What an event of `made_by` asks besides.
    pub(super) also: Vec<RequestPlan>,
    pub(super) covered_types: Vec<String>,
    /// Whether someone reviewed all its actions.
    pub(super) reviewed: bool,
    /// What AWS compares for actions without a resource type, by action or for all.
    pub(super) unlisted: FxHashMap<Box<str>, Template>,
}

/// What an event asks for.
#[derive(Debug)]
pub(super) enum EventPlan {
    Requests(Vec<RequestPlan>),
    /// Not authorized by IAM, with the reason.
    NoAction(Box<str>),
    /// In need of no permission, with the page that says so.
    NoPermission(Box<str>),
}

/// One request of an event.
#[derive(Debug, Clone)]
pub(super) struct RequestPlan {
    pub(super) action: Box<str>,
    pub(super) targets: Targets,
    pub(super) when: Option<Condition>,
    pub(super) possible: bool,
    pub(super) certainty: Certainty,
    pub(super) keys: Vec<KeyPlan>,
    /// Which of the service's keys the action takes; filled when the request first occurs.
    pub(super) service_keys: OnceLock<Box<[usize]>>,
}

/// The resources of a request.
#[derive(Debug, Clone)]
pub(super) enum Targets {
    /// The action has none.
    Any,
    /// Nobody knows.
    Unknown,
    /// This very ARN.
    Literal(Template),
    /// Each of these.
    Each(Vec<Arc<ResourcePlan>>),
    /// Those that the catalogue lists for the action.
    Listed {
        required: Vec<Arc<ResourcePlan>>,
        optional: Vec<Arc<ResourcePlan>>,
    },
}

/// A request's resource and what follows from how it was found.
pub(super) struct Target<'a> {
    pub(super) found: Found<'a>,
    pub(super) possible: bool,
}

impl ServicePlan {
    /// Its resource types.
    pub(super) fn kinds(&self, catalogue: &'static Catalogue) -> &Kinds {
        self.kinds
            .get_or_init(|| Kinds::of(&self.service, catalogue))
    }
}

impl EventPlan {
    /// The requests for one record.
    pub(super) fn fill<'a>(
        &'a self,
        service: &'a ServicePlan,
        catalogue: &Catalogue,
        view: &View<'a, '_>,
    ) -> Mapped<'a> {
        let plans = match self {
            Self::Requests(plans) => plans,
            Self::NoAction(_) => {
                return Mapped::NotAnIamAction("an event that no action authorizes");
            }
            Self::NoPermission(_) => return Mapped::NoPermissionNeeded,
        };
        let mut requests = BumpVec::with_capacity_in(plans.len(), view.arena);
        for plan in plans {
            plan.fill(service, catalogue, view, &mut requests);
        }
        Mapped::Requests(requests.into_bump_slice())
    }
}

impl RequestPlan {
    fn fill<'a>(
        &'a self,
        service: &'a ServicePlan,
        catalogue: &Catalogue,
        view: &View<'a, '_>,
        requests: &mut BumpVec<'a, MappedRequest<'a>>,
    ) {
        let mut possible = self.possible;
        let mut certainty = self.certainty;
        if let Some(when) = &self.when {
            match when.holds(view) {
                Holds::Yes => {}
                Holds::No => return,
                // What the request sent is not shown: the usual request is asked, as a guess; one
                // that only an extra field would bring may have been asked.
                Holds::Unknown if when.holds_for_nothing() => certainty = Certainty::Guessed,
                Holds::Unknown => possible = true,
            }
        }
        let keys = self.keys(service, catalogue, view);
        let mut targets = BumpVec::with_capacity_in(USUAL_TARGETS, view.arena);
        self.targets.find(service, view, &mut targets);
        for target in targets {
            let required = !possible && !target.possible;
            let resource = target.found.resource;
            let same = |other: &&mut MappedRequest<'a>| {
                *other.action == *self.action && other.resource.is_same(&resource)
            };
            if let Some(other) = requests.iter_mut().find(same) {
                other.required |= required;
                continue;
            }
            requests.push(MappedRequest {
                action: &self.action,
                required,
                certainty: certainty.min(target.found.certainty),
                resource,
                keys: self.with_context(keys, &resource, view),
            });
        }
    }

    /// The keys with what an enriched record says besides.
    fn with_context<'a>(
        &self,
        keys: &'a [(&'a str, KeyState<'a>)],
        resource: &MappedResource<'a>,
        view: &View<'a, '_>,
    ) -> &'a [(&'a str, KeyState<'a>)] {
        let Some(context) = view.record.event_context else {
            return keys;
        };
        let mut all = BumpVec::from_iter_in(keys.iter().copied(), view.arena);
        event_context::add(context, &self.action, resource, view, &mut all);
        all.into_bump_slice()
    }

    /// The rules of the keys that the request feeds.
    pub(super) fn key_plans<'p>(
        &'p self,
        service: &'p ServicePlan,
        catalogue: &Catalogue,
    ) -> impl Iterator<Item = &'p KeyPlan> {
        let taken = self.service_keys.get_or_init(|| {
            // What a row says of a key, it says of the key's old names.
            let name = |key: &KeyPlan| key.present_name.clone().unwrap_or_else(|| key.key.clone());
            let overridden = |key: &KeyPlan| self.keys.iter().any(|own| own.key == name(key));
            let taken = |key: &KeyPlan| {
                !overridden(key) && catalogue.key_applies(&self.action, &key.example())
            };
            let indices = service
                .keys
                .iter()
                .enumerate()
                .filter(|(_, key)| taken(key))
                .map(|(index, _)| index);
            indices.collect()
        });
        let of_service = taken.iter().filter_map(|index| service.keys.get(*index));
        self.keys.iter().chain(of_service)
    }

    fn keys<'a>(
        &'a self,
        service: &'a ServicePlan,
        catalogue: &Catalogue,
        view: &View<'a, '_>,
    ) -> &'a [(&'a str, KeyState<'a>)] {
        let plans = self.key_plans(service, catalogue);
        // Most rules add one key.
        let (least, most) = plans.size_hint();
        let mut keys = BumpVec::with_capacity_in(most.unwrap_or(least), view.arena);
        plans.for_each(|key| key.add(view, &mut keys));
        keys.into_bump_slice()
    }
}

impl KeyPlan {
    /// A key of this name as a request would have it.
    pub(super) fn example(&self) -> std::borrow::Cow<'_, str> {
        match (self.key.strip_suffix('*'), &self.source) {
            (Some(prefix), KeySource::Map(_) | KeySource::Tags(_)) => format!("{prefix}x").into(),
            _ => self.present_name.as_deref().unwrap_or(&self.key).into(),
        }
    }
}

impl Targets {
    pub(super) fn find<'a>(
        &'a self,
        service: &ServicePlan,
        view: &View<'a, '_>,
        targets: &mut BumpVec<'a, Target<'a>>,
    ) {
        match self {
            Self::Any => targets.push(Target {
                found: Found {
                    resource: MappedResource::Any,
                    certainty: Certainty::Verified,
                    how: How::Given,
                    origin: Origin::Fixed,
                },
                possible: false,
            }),
            Self::Unknown => targets.push(Target {
                found: Found {
                    resource: MappedResource::Unknown {
                        pattern: "*",
                        account: None,
                    },
                    certainty: Certainty::Guessed,
                    how: How::NotFound,
                    origin: Origin::NotRecorded,
                },
                possible: false,
            }),
            Self::Literal(template) => {
                let literals = template.variables().iter().map(|_| Some(""));
                let mut values = BumpVec::new_in(view.arena);
                values.extend(literals);
                let arn = template.fill(view, view.facts.account, &values);
                let resource = MappedResource::Arn {
                    arn,
                    spellings: &[],
                    account: account_of(arn),
                };
                targets.push(Target {
                    found: Found {
                        resource,
                        certainty: Certainty::Verified,
                        how: How::Given,
                        origin: Origin::Fixed,
                    },
                    possible: false,
                });
            }
            Self::Each(plans) => {
                let mut finds = BumpVec::with_capacity_in(plans.len(), view.arena);
                plans.iter().for_each(|plan| plan.find(view, &mut finds));
                targets.extend(finds.into_iter().map(|found| Target {
                    found,
                    possible: found.how == How::Besides,
                }));
            }
            Self::Listed { required, optional } => {
                listed(service, required, optional, view, targets)
            }
        }
    }
}

/// The catalogue lists which types an action takes, and for a call that names resources of some of
/// them not whether it needed the others. Those that the record shows were asked about; of the
/// rest, one that is the only required type was asked about too, whatever it was.
fn listed<'a>(
    service: &ServicePlan,
    required: &'a [Arc<ResourcePlan>],
    optional: &'a [Arc<ResourcePlan>],
    view: &View<'a, '_>,
    targets: &mut BumpVec<'a, Target<'a>>,
) {
    let mut finds = BumpVec::with_capacity_in(required.len() + optional.len(), view.arena);
    for plan in required {
        plan.find(view, &mut finds);
    }
    let required_finds = finds.len();
    for plan in optional {
        plan.find(view, &mut finds);
    }
    let whole = |found: &Found<'a>| found.how != How::NotFound;
    let any_required = finds.iter().take(required_finds).any(whole);
    let any = finds.iter().any(whole);
    let alone = required.len() == 1;
    for (index, found) in finds.iter().enumerate() {
        let is_required = index < required_finds;
        let is_whole = whole(found);
        let keep = is_whole || (is_required && (alone || any_required));
        // A guess that an optional type was meant is not enough to deny a call.
        let guess = found.how == How::Named && !is_required && !service.reviewed;
        let possible = guess || found.how == How::Besides || (is_required && !is_whole && !alone);
        if keep {
            targets.push(Target {
                found: *found,
                possible,
            });
        }
    }
    if required.is_empty() && !any || required.len() > 1 && !any_required {
        targets.push(Target {
            found: not_found(service, required.is_empty(), &finds, view),
            possible: false,
        });
    }
}

/// One resource of which only the form is known: what the forms of all listed types have in common.
/// Where all types are optional AWS may as well have compared `*`, unless someone reviewed them.
fn not_found<'a>(
    service: &ServicePlan,
    all_optional: bool,
    finds: &[Found<'a>],
    view: &View<'a, '_>,
) -> Found<'a> {
    let mut common: Option<(&'a str, Option<&'a str>)> = None;
    for found in finds.iter().filter(|found| found.how == How::NotFound) {
        let MappedResource::Unknown { pattern, account } = found.resource else {
            continue;
        };
        common = Some(match common {
            None => (pattern, account),
            Some((before, owner)) => (
                common_form(before, pattern, view),
                owner.filter(|owner| account == Some(*owner)),
            ),
        });
    }
    let (pattern, account) = match common {
        Some(common) if service.reviewed || !all_optional => common,
        _ => ("*", None),
    };
    let certainty = finds
        .iter()
        .map(|found| found.certainty)
        .min()
        .unwrap_or(Certainty::Guessed);
    Found {
        resource: MappedResource::Unknown { pattern, account },
        certainty,
        how: How::NotFound,
        origin: Origin::NotRecorded,
    }
}

/// What two forms have in common, up to the first difference.
fn common_form<'a>(one: &'a str, other: &'a str, view: &View<'a, '_>) -> &'a str {
    if one == other {
        return one;
    }
    let same = one
        .bytes()
        .zip(other.bytes())
        .take_while(|(left, right)| left == right)
        .count();
    let upto = (0..=same)
        .rev()
        .find_map(|end| one.get(..end))
        .unwrap_or_default();
    bumpalo::format!(in view.arena, "{}*", upto.trim_end_matches('*')).into_bump_str()
}
