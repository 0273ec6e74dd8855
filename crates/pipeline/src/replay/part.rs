//! Calls whose rows are spread over batches and row groups, put together again.

use retrial_replay::{Judgement, Outcome, Verdict};

use super::report::ReplayReport;
use super::rows::Seen;

/// What was seen in one row group.
#[derive(Default)]
pub(super) struct Part {
    /// Its first call, which may have begun in the row group before.
    head: Option<OpenCall>,
    /// The calls in between.
    report: ReplayReport,
    /// Its last call, which may go on in the next one.
    open: Option<OpenCall>,
}

/// A call of which more rows may come.
struct OpenCall {
    log_file: String,
    record_index: u64,
    event_id: String,
    principal_arn: String,
    action: String,
    resource_arn: String,
    differs: bool,
    copy: bool,
    before: Verdict,
    outcome: Outcome,
    judgement: Judgement,
}

impl OpenCall {
    fn new(seen: &Seen<'_>) -> OpenCall {
        OpenCall {
            log_file: seen.log_file.to_owned(),
            record_index: seen.record_index,
            event_id: seen.event_id.to_owned(),
            principal_arn: seen.principal_arn.to_owned(),
            action: seen.action.to_owned(),
            resource_arn: seen.resource_arn.to_owned(),
            differs: seen.differs,
            copy: seen.copy,
            before: seen.before,
            outcome: seen.outcome,
            judgement: seen.judgement.clone(),
        }
    }

    fn is(&self, log_file: &str, record_index: u64) -> bool {
        self.record_index == record_index && self.log_file == log_file
    }

    fn join(&mut self, further: OpenCall) {
        if further.differs && !self.differs {
            self.differs = true;
            self.action = further.action;
            self.resource_arn = further.resource_arn;
        }
        self.judgement.join(further.judgement);
    }

    fn count(self, report: &mut ReplayReport) {
        report.count(&Seen {
            log_file: &self.log_file,
            record_index: self.record_index,
            event_id: &self.event_id,
            principal_arn: &self.principal_arn,
            action: &self.action,
            resource_arn: &self.resource_arn,
            differs: self.differs,
            copy: self.copy,
            before: self.before,
            outcome: self.outcome,
            judgement: self.judgement,
        });
    }
}

impl Part {
    /// Adds the next rows; `at_edge`: their call may have other rows.
    pub(super) fn add(&mut self, seen: &Seen<'_>, at_edge: bool) {
        if let Some(open) = &mut self.open {
            if open.is(seen.log_file, seen.record_index) {
                open.join(OpenCall::new(seen));
                return;
            }
            self.close();
        }
        if at_edge {
            self.open = Some(OpenCall::new(seen));
        } else {
            self.report.count(seen);
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        // The first call of a row group is at the edge of its first batch.
        if self.head.is_none() {
            self.head = Some(open);
        } else {
            open.count(&mut self.report);
        }
    }
}

/// Puts parts together, in their order.
pub(super) struct Joiner<'r> {
    report: &'r mut ReplayReport,
    open: Option<OpenCall>,
}

impl<'r> Joiner<'r> {
    pub(super) fn new(report: &'r mut ReplayReport) -> Joiner<'r> {
        Joiner { report, open: None }
    }

    pub(super) fn add(&mut self, part: Part) {
        if let Some(head) = part.head {
            self.take(head);
        }
        self.report.merge(part.report);
        if let Some(open) = part.open {
            self.take(open);
        }
    }

    fn take(&mut self, call: OpenCall) {
        match &mut self.open {
            Some(open) if open.is(&call.log_file, call.record_index) => open.join(call),
            _ => {
                self.close();
                self.open = Some(call);
            }
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.count(self.report);
        }
    }

    /// Counts what is left.
    pub(super) fn finish(mut self) {
        self.close();
    }
}
