//! The findings of one document while it is looked at.

use super::repair::Read;
use super::{LintFinding, LintRule};

/// Collects findings and turns places of the repaired text into lines and columns of the given one.
pub(super) struct Report<'t> {
    text: &'t str,
    read: &'t Read,
    findings: Vec<LintFinding>,
}

/// A finding that can still be given its hint.
pub(super) struct Added<'r>(Option<&'r mut LintFinding>);

impl Added<'_> {
    pub(super) fn hint(self, hint: impl Into<String>) {
        if let Some(finding) = self.0 {
            finding.hint = Some(hint.into());
        }
    }
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str, read: &'t Read) -> Self {
        Self {
            text,
            read,
            findings: Vec::new(),
        }
    }

    /// Adds a finding about what stands at `offset` of the repaired text.
    pub(super) fn add(
        &mut self,
        rule: LintRule,
        offset: usize,
        message: impl Into<String>,
    ) -> Added<'_> {
        self.add_at_original(rule, self.read.original(offset), message)
    }

    /// Adds a finding about what stands at `offset` of the text as it was given.
    pub(super) fn add_at_original(
        &mut self,
        rule: LintRule,
        offset: usize,
        message: impl Into<String>,
    ) -> Added<'_> {
        let (line, column) = place(self.text, offset);
        self.findings.push(LintFinding {
            rule,
            severity: rule.severity(),
            line,
            column,
            message: message.into(),
            hint: None,
        });
        Added(self.findings.last_mut())
    }

    /// All findings by place, then as they were found.
    pub(super) fn finish(mut self) -> Vec<LintFinding> {
        self.findings
            .sort_by_key(|finding| (finding.line, finding.column, finding.rule));
        self.findings.dedup();
        self.findings
    }
}

/// The line and the column, in characters, both from 1.
pub(super) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
    (small(line), small(column))
}
