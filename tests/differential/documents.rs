//! Walking the documents of a case.

use serde_json::{Map, Value};

/// Where a document stands in the case form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Identity,
    Boundary,
    Session,
    Scp,
    Rcp,
    Resource,
    Endpoint,
}

/// One entry of a `Condition` element.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// Whether the document's version knows policy variables.
    pub(crate) has_variables: bool,
    /// In lower case, without set operator and `IfExists`.
    pub(crate) operator: String,
    pub(crate) key: &'a str,
    pub(crate) values: &'a mut Value,
}

/// Calls `each` for every document of the case.
pub(crate) fn for_each_document(case: &mut Value, mut each: impl FnMut(Place, &mut Value)) {
    let lists = [
        ("identity_policies", Place::Identity),
        ("permission_boundary", Place::Boundary),
        ("session_policies", Place::Session),
        ("vpc_endpoint_policies", Place::Endpoint),
    ];
    for (name, place) in lists {
        for document in list_mut(case, name) {
            each(place, document);
        }
    }
    for (name, place) in [("scps", Place::Scp), ("rcps", Place::Rcp)] {
        for level in list_mut(case, name) {
            for document in list_mut(level, "policies") {
                each(place, document);
            }
        }
    }
    if let Some(document) = case.get_mut("resource_policy") {
        each(Place::Resource, document);
    }
}

fn list_mut<'a>(value: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    value
        .get_mut(name)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

/// The statements of a document, one or many.
pub(crate) fn statements_mut(document: &mut Value) -> Vec<&mut Map<String, Value>> {
    match document.get_mut("Statement") {
        Some(Value::Array(list)) => list.iter_mut().filter_map(Value::as_object_mut).collect(),
        Some(Value::Object(one)) => vec![one],
        _ => Vec::new(),
    }
}

/// Removes the statements that `drop` picks.
pub(crate) fn drop_statements(
    document: &mut Value,
    drop: impl Fn(&mut Map<String, Value>) -> bool,
) {
    let Some(statement) = document.get_mut("Statement") else {
        return;
    };
    let mut kept = match statement.take() {
        Value::Array(list) => list,
        one => vec![one],
    };
    kept.retain_mut(|statement| !statement.as_object_mut().is_some_and(&drop));
    *statement = Value::Array(kept);
}

/// Calls `each` for every condition entry of the case.
pub(crate) fn for_each_entry(case: &mut Value, mut each: impl FnMut(Entry<'_>)) {
    for_each_document(case, |_, document| {
        let has_variables = document["Version"] == "2012-10-17";
        for statement in statements_mut(document) {
            let operators = statement
                .get_mut("Condition")
                .and_then(Value::as_object_mut)
                .into_iter()
                .flatten();
            for (operator, block) in operators {
                let operator = base_operator(operator);
                for (key, values) in block.as_object_mut().into_iter().flatten() {
                    each(Entry {
                        has_variables,
                        operator: operator.clone(),
                        key,
                        values,
                    });
                }
            }
        }
    });
}

/// In lower case, without set operator and `IfExists`.
pub(crate) fn base_operator(operator: &str) -> String {
    let lower = operator.to_lowercase();
    let base = lower.rsplit(':').next().unwrap();
    base.strip_suffix("ifexists").unwrap_or(base).to_owned()
}

/// Calls `each` for every text of a value that is one or a list.
pub(crate) fn for_each_text(values: &mut Value, each: impl FnMut(&mut String)) {
    let texts = match values {
        Value::Array(list) => list.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    let text = |value| match value {
        &mut Value::String(ref mut text) => Some(text),
        _ => None,
    };
    texts.iter_mut().filter_map(text).for_each(each);
}
