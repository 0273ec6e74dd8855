//! The findings that are shown, as CSV (RFC 4180).
//!
//! A cell that a spreadsheet would take for a formula is given an apostrophe in front, and control
//! characters are escapes: what is in a record was written by whoever made the call.
//! <https://owasp.org/www-community/attacks/CSV_Injection>

use retrial_cloudtrail::Timestamp;
use retrial_replay::{Finding, FindingReport};

use crate::printer::printable;

const HEAD: &str = "finding_id,kind,severity,account_id,principal_arn,policy,statement_index,sid,action,resource_arn,cause,owner,message,remedy,calls,first_time,last_time,days,event_ids";

pub(crate) fn lines(report: &FindingReport) -> String {
    let mut out = format!("{HEAD}\r\n");
    for finding in report.shown() {
        let cells: Vec<String> = cells(finding).iter().map(|cell| quoted(cell)).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

fn cells(finding: &Finding) -> [String; 19] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |micros: Option<i64>| {
        micros.map_or_else(String::new, |micros| {
            Timestamp::from_micros(micros).to_iso()
        })
    };
    [
        finding.id(),
        finding.kind.name().to_owned(),
        finding.severity.name().to_owned(),
        text(&finding.account_id),
        text(&finding.principal_arn),
        text(&finding.policy),
        finding
            .statement_index
            .map_or_else(String::new, |index| index.to_string()),
        text(&finding.sid),
        text(&finding.action),
        text(&finding.resource_arn),
        finding
            .cause
            .map_or_else(String::new, |cause| cause.name().to_owned()),
        text(&finding.owner),
        finding.message.clone(),
        finding.remedy.clone(),
        finding.calls.to_string(),
        time(finding.first_time),
        time(finding.last_time),
        finding.days.to_string(),
        finding.event_ids.join(" "),
    ]
}

fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@']) || cell.starts_with(['\t', '\r', '\n']);
    let apostrophe = if is_formula { "'" } else { "" };
    format!("\"{apostrophe}{}\"", printable(cell).replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_says_is_no_formula_and_ends_no_line() {
        let check = |cell: &str, expect: &str| assert_eq!(quoted(cell), expect);
        check("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\"");
        check("@SUM(1)", "\"'@SUM(1)\"");
        check("a\"b,c\nd", "\"a\"\"b,c\\nd\"");
        check("\t=1", "\"'\\t=1\"");
    }
}
