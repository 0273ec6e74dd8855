//! The findings that are shown, as Markdown.

use std::fmt::Write;

use retrial_replay::{Finding, FindingReport, FindingSeverity};

use super::{Subject, day};
use crate::printer::printable;

pub(crate) fn page(report: &FindingReport, subject: &Subject<'_>) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_page(&mut out, report, subject);
    out
}

fn write_page(out: &mut String, report: &FindingReport, subject: &Subject<'_>) -> std::fmt::Result {
    writeln!(
        out,
        "# Findings as of {}\n\n{} calls under snapshot {}. Error rate: {} of {} compared calls provably go through where we say denied.",
        subject.as_of,
        report.calls,
        subject.snapshot.id(),
        report.contradicted(),
        report.compared()
    )?;
    writeln!(
        out,
        "\n| recorded | decided today | calls |\n|---|---|---:|"
    )?;
    for ((outcome, decision), calls) in &report.matrix {
        writeln!(
            out,
            "| {} | {} | {calls} |",
            outcome.name(),
            decision.name()
        )?;
    }
    for severity in FindingSeverity::ALL {
        let of_it: Vec<&Finding> = report
            .shown()
            .filter(|one| one.severity == severity)
            .collect();
        if of_it.is_empty() {
            continue;
        }
        writeln!(out, "\n## {} ({})\n", severity.name(), of_it.len())?;
        writeln!(
            out,
            "| kind | what | who | calls | last | owner | remedy | id |\n|---|---|---|---:|---|---|---|---|"
        )?;
        for finding in of_it {
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                finding.kind.name(),
                escaped(&finding.message),
                escaped(
                    finding
                        .principal_arn
                        .as_deref()
                        .or(finding.policy.as_deref())
                        .unwrap_or("")
                ),
                finding.calls,
                finding.last_time.map(day).unwrap_or_default(),
                escaped(finding.owner.as_deref().unwrap_or("")),
                escaped(&finding.remedy),
                finding.id()
            )?;
        }
    }
    Ok(())
}

/// Text that others wrote, so that it is no mark-up, no link and no HTML, and stays in its cell.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '|' | '~' | '!'
            | '@' => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
    }
    // What looks like an address would become a link.
    out.replace("://", ":&#47;&#47;")
        .replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_says_is_no_markup() {
        assert_eq!(
            escaped("a|b <img src=x> [x](http://y) `c`\n@all"),
            "a\\|b &lt;img src=x&gt; \\[x\\]\\(http:&#47;&#47;y\\) \\`c\\`\\\\n\\@all"
        );
    }
}
