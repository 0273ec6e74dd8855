use super::*;
use crate::{Catalogue, Context, MissingKeys};

#[track_caller]
fn check(pattern: &str, text: &str, expect: PatternMatch) {
    let mut context = Context::new(MissingKeys::Absent);
    context.set(
        "aws:username",
        KeyState::Known(Values::One("bob*")),
    );
    context.set("aws:TagKeys", KeyState::Known(Values::Many(&["a"])));
    context.set("aws:SourceVpc", KeyState::Unknown);
    let keys = Keys {
        context: &context,
        catalogue: Catalogue::bundled(),
        action: "example:Do",
    };
    let syntax = Syntax {
        wildcards: true,
        variables: true,
    };
    assert_eq!(
        Pattern::parse(pattern, syntax).test(Text::Exact(text), &keys),
        expect,
        "{pattern} on {text}"
    );
}

#[test]
fn wildcards() {
    check("", "", PatternMatch::YES);
    check("", "a", PatternMatch::NO);
    check("a*b", "a\nb", PatternMatch::YES);
    check("a*b*c", "abbc", PatternMatch::YES);
    check("a*b*c", "acb", PatternMatch::NO);
    check("ab*ba", "aba", PatternMatch::NO);
    check("?", "é", PatternMatch::YES);
    check("*?", "", PatternMatch::NO);
}

#[test]
fn escapes_are_literal() {
    check("${*}", "*", PatternMatch::YES);
    check("${*}", "a", PatternMatch::NO);
    check("${?}${$}{x}", "?${x}", PatternMatch::YES);
}

#[test]
fn variables_are_literal_text() {
    check("home/${aws:username}/*", "home/bob*/x", PatternMatch::YES);
    check("home/${AWS:UserName}/*", "home/bobby/x", PatternMatch::NO);
    check("${ aws:none , 'x y' }", "x y", PatternMatch::YES);
    check("${aws:none,'*'}", "a", PatternMatch::NO);
}

#[test]
fn variables_without_one_value_match_nothing() {
    check("${aws:none}", "", PatternMatch::UNRESOLVED);
    check("*${aws:TagKeys}", "a", PatternMatch::UNRESOLVED);
}

#[test]
fn unknown_variables_match_where_some_value_does() {
    let unknown = PatternMatch {
        hit: Truth::Unknown,
        resolved: Truth::Unknown,
    };
    check("x/${aws:SourceVpc}", "x/vpc-1", unknown);
    check("x/${aws:SourceVpc}", "y/vpc-1", PatternMatch { hit: Truth::False, ..unknown });
    check("${aws:SourceVpc, 'd'}", "d", PatternMatch { resolved: Truth::True, ..unknown });
}

#[test]
fn what_is_not_closed_is_literal() {
    check("${aws:username", "${aws:username", PatternMatch::YES);
    check("$x}", "$x}", PatternMatch::YES);
}

#[test]
fn many_stars_take_no_exponential_time() {
    let pattern = "*a".repeat(500);
    check(&format!("{pattern}b"), &"a".repeat(2000), PatternMatch::NO);
}
