//! Sessions on the stage: one is started, a record issues it, calls are made in it.

use super::world::*;
use super::{BASE, Planted, Slot, Story};
use crate::caller::{self, Identity, Session};
use crate::calls::sts::{Cut, Issue};
use crate::calls::{s3, sagemaker, sts};
use crate::record::{Caller, Draft};
use crate::truth::*;

pub(super) const CLI: &str =
    "aws-cli/2.32.3 md/awscrt#0.28.4 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.9";
pub(super) const NOTHING: Option<&[&str]> = Some(&[]);
pub(super) const SESSION_POLICY: Option<&[&str]> = Some(&["session_policy"]);
pub(super) const MINUTE: i64 = 60;

/// What is done in each session, once it stands: four calls of known kinds.
pub(super) struct Stage<'p> {
    pub(super) planted: &'p mut Planted,
    /// The delivery of the calls that are made next.
    delivered: i64,
}

/// A session that is being planted.
pub(super) struct Started {
    pub(super) key: String,
    pub(super) caller: Caller,
    pub(super) slot: Slot,
    /// When its calls are made.
    pub(super) at: i64,
}

impl<'p> Stage<'p> {
    pub(super) fn new(planted: &'p mut Planted) -> Stage<'p> {
        Stage {
            planted,
            delivered: BASE,
        }
    }

    /// The calls of the next session are delivered a little later than those of the last.
    pub(super) fn next(&mut self) -> Slot {
        self.delivered += 7 * MINUTE;
        (self.delivered, IRELAND)
    }

    /// A session of a role whose issuing record is not written yet.
    pub(super) fn session(&mut self, role: &Identity, source_identity: Option<&str>) -> Started {
        let slot = self.next();
        let key = self.planted.key();
        let at = slot.0 - 300;
        let session = Session {
            source_identity,
            ..Session::new("work", &key, at - 120)
        };
        let caller = caller::session(role, &session, "203.0.113.50", CLI);
        Started {
            key,
            caller,
            slot,
            at,
        }
    }

    /// The starter's call that issues the session, in a file of its own place.
    pub(super) fn issue(&mut self, role: &Identity, started: &Started, slot: Slot, cut: Cut<'_>) {
        let starter = starter_caller();
        self.issue_by(&starter, role, started, slot, cut);
    }

    pub(super) fn issue_by(
        &mut self,
        caller: &Caller,
        role: &Identity,
        started: &Started,
        slot: Slot,
        cut: Cut<'_>,
    ) {
        let at = (started.at - 120).min(slot.0 - 300);
        let issue = Issue {
            cut,
            ..Issue::plain(role, "work", &started.key, at)
        };
        let draft = sts::assume_role(issue, slot.1, &mut self.planted.rng);
        self.planted.put(slot, at, caller, &draft, AGREES);
    }

    /// A session that the starter was issued in the calls' own file.
    pub(super) fn cut(&mut self, role: &Identity, cut: Cut<'_>) -> Started {
        let started = self.session(role, cut.source_identity);
        self.issue(role, &started, started.slot, cut);
        started
    }

    pub(super) fn say(&mut self, started: &Started, drafts: Vec<Draft>, story: Story) {
        let mut story = story;
        for (index, draft) in drafts.iter().enumerate() {
            let at = started.at + index as i64;
            let id = self
                .planted
                .put(started.slot, at, &started.caller, draft, story.expect);
            story.event_ids.push(id);
        }
        self.planted.stories.push(story);
    }

    pub(super) fn gets(&mut self) -> Vec<Draft> {
        let rng = &mut self.planted.rng;
        (0..3)
            .map(|part| s3::get_object(BUCKET, &format!("open/{part}-{}.csv", rng.hex(6)), rng))
            .collect()
    }

    pub(super) fn puts(&mut self, folder: &str) -> Vec<Draft> {
        let rng = &mut self.planted.rng;
        (0..2)
            .map(|part| s3::put_object(BUCKET, &format!("{folder}/{part}-{}.csv", rng.hex(6)), rng))
            .collect()
    }

    pub(super) fn stops(&mut self) -> Vec<Draft> {
        let rng = &mut self.planted.rng;
        (0..2)
            .map(|_| sagemaker::stop_training_job(PLACE, &format!("planted-{}", rng.hex(8))))
            .collect()
    }

    /// The same, denied for want of a statement in this kind of policy.
    pub(super) fn denied_stops(&mut self, caller: &Caller, kind: &str) -> Vec<Draft> {
        let stops = self.stops().into_iter();
        let deny = |stop: Draft| {
            let message = format!(
                "User: {} is not authorized to perform: sagemaker:StopTrainingJob on resource: {} because no {kind} policy allows the sagemaker:StopTrainingJob action",
                caller.arn,
                PLACE.arn("training-job/planted")
            );
            stop.failed("AccessDenied", message)
        };
        stops.map(deny).collect()
    }

    /// A session of which only this can be told: whether it is known. Known, today's policies allow what
    /// was denied; otherwise its own policy may have stood in the way.
    pub(super) fn is_known(&mut self, id: &str, started: &Started, known: bool, why: &'static str) {
        let assumes = if known { NOTHING } else { SESSION_POLICY };
        let gets = self.gets();
        self.say(
            started,
            gets,
            story(&format!("{id}-succeeded"), AGREES, assumes, why),
        );
        let denied = self.denied_stops(&started.caller, "identity-based");
        let expect = if known {
            WOULD_BE_ALLOWED
        } else {
            UNDER_ASSUMPTION
        };
        self.say(
            started,
            denied,
            story(&format!("{id}-denied"), expect, assumes, why),
        );
    }
}

pub(super) fn story(
    id: &str,
    expect: Expect,
    assumes: Option<&'static [&'static str]>,
    why: &'static str,
) -> Story {
    Story {
        id: id.into(),
        expect,
        assumes,
        layer: None,
        amends: None,
        event_ids: Vec::new(),
        why,
    }
}

/// Calls that were denied and are: by which layer.
pub(super) fn blocked(id: &str, layer: &'static str, why: &'static str) -> Story {
    Story {
        layer: Some(layer),
        ..story(id, AGREES, None, why)
    }
}

pub(super) fn drifted(id: &str, layer: &'static str, why: &'static str) -> Story {
    Story {
        layer: Some(layer),
        ..story(id, WOULD_BE_DENIED, None, why)
    }
}

pub(super) fn starter_caller() -> Caller {
    caller::user(&starter(), "AKIAPLANTEDSTARTER01", "203.0.113.51", CLI)
}
