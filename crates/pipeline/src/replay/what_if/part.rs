//! Calls whose rows are spread over batches and row groups, put together again.

use retrial_replay::WhatIfJudgement;

use super::changed_call::{ChangedCall, OpenCall};
use super::report::WhatIfReport;

/// What was seen in one row group.
#[derive(Default)]
pub(super) struct Part {
    /// Its first call, which may have begun in the row group before.
    head: Option<OpenCall>,
    report: WhatIfReport,
    /// The differing calls in between.
    changed: Vec<ChangedCall>,
    /// Its last call, which may go on in the next one.
    open: Option<OpenCall>,
}

impl Part {
    /// Adds a call that the change cannot touch.
    pub(super) fn pass(&mut self, copy: bool) {
        self.report.calls += 1;
        self.report.copies += u64::from(copy);
    }

    /// Adds a whole call that was asked for.
    pub(super) fn count(&mut self, copy: bool, changed: Option<ChangedCall>) {
        self.report.asked += 1;
        self.pass(copy);
        if let Some(changed) = changed {
            self.report.count(&changed);
            self.changed.push(changed);
        }
    }

    /// Adds rows of a call that may have others.
    pub(super) fn add_open(&mut self, call: ChangedCall, judgement: WhatIfJudgement) {
        let further = OpenCall::new(call, judgement);
        match &mut self.open {
            Some(open) if open.call.is(&further.call) => open.join(further),
            _ => {
                self.close();
                self.open = Some(further);
            }
        }
    }

    /// No more rows of the open call come.
    pub(super) fn close(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        // The first call of a row group is at the edge of its first batch.
        if self.head.is_none() {
            self.head = Some(open);
        } else {
            self.changed.extend(self.report.see(open));
        }
    }
}

/// Puts parts together, in their order.
pub(super) struct Joiner<'r> {
    report: &'r mut WhatIfReport,
    open: Option<OpenCall>,
    changed: Vec<ChangedCall>,
}

impl<'r> Joiner<'r> {
    pub(super) fn new(report: &'r mut WhatIfReport) -> Joiner<'r> {
        Joiner {
            report,
            open: None,
            changed: Vec::new(),
        }
    }

    /// Takes in a part; the differing calls that are whole now.
    pub(super) fn add(&mut self, part: Part) -> Vec<ChangedCall> {
        if let Some(head) = part.head {
            self.take(head);
        }
        self.report.merge(part.report);
        self.changed.extend(part.changed);
        if let Some(open) = part.open {
            self.take(open);
        }
        std::mem::take(&mut self.changed)
    }

    fn take(&mut self, call: OpenCall) {
        match &mut self.open {
            Some(open) if open.call.is(&call.call) => open.join(call),
            _ => {
                self.close();
                self.open = Some(call);
            }
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.changed.extend(self.report.see(open));
        }
    }

    /// What is left.
    pub(super) fn finish(mut self) -> Vec<ChangedCall> {
        self.close();
        self.changed
    }
}
