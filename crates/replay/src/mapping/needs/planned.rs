//! What the jobs of an event need, without a record: for people.

use super::plan::{JobPlan, On, RowPlan, RunsAs, Text, UsePlan};
use crate::mapping::path::Path;
use crate::mapping::{Certainty, Mapping};

/// A need as its data file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedNeed {
    /// Where the request has the role; else who needs it, in words.
    pub role: String,
    /// `s3:GetObject`; `sagemaker:*` for all of a service's.
    pub action: String,
    /// What kind of thing it is needed on, or an ARN's template.
    pub on: String,
    /// The fields that say on which; none where `on` stands by itself.
    pub from: Vec<String>,
    /// Needed only when this holds.
    pub when: Option<String>,
    /// Whether the job needs it for sure.
    pub required: bool,
    /// How sure the row is.
    pub certainty: Certainty,
    /// What in the job needs it.
    pub why: String,
    /// AWS's page about it.
    pub page: String,
    /// Condition keys that the job's request will have.
    pub keys: Vec<(String, String)>,
}

impl Mapping {
    /// What the jobs that an event of a service (its IAM prefix) begins will need, as the data files have it.
    pub fn planned_needs(&self, service: &str, event: &str) -> Vec<PlannedNeed> {
        let jobs = self.needs.jobs.get(event).into_iter().flatten();
        let of_service = jobs.filter(|(of, _)| **of == *service);
        of_service.flat_map(|(_, plan)| plan.planned()).collect()
    }
}

impl JobPlan {
    fn planned(&self) -> Vec<PlannedNeed> {
        let whole = [String::new()];
        let places: Vec<String> = self.at.iter().map(|at| at.as_str().to_owned()).collect();
        let places = match places.as_slice() {
            [] => &whole[..],
            places => places,
        };
        let mut needs = Vec::new();
        for at in places {
            let role = self.role(at);
            for used in &self.uses {
                let before = joined(at, used.at.as_ref().map_or("", Path::as_str));
                for row in &used.rows {
                    let planned = |action| self.need((&role, action), (used, row), &before);
                    needs.extend(row.actions.iter().map(|action| planned(action)));
                }
            }
        }
        needs
    }

    /// Who needs it.
    fn role(&self, at: &str) -> String {
        match &self.runs_as {
            RunsAs::Service(service) => service.to_string(),
            RunsAs::NotTold => {
                let of = self.of.as_ref().map(|of| of.template.to_text());
                format!("the role of {}", of.unwrap_or_default())
            }
            RunsAs::Role(fields) => {
                let fields = fields.iter().map(|field| joined(at, field.as_str()));
                fields.collect::<Vec<_>>().join(", ")
            }
        }
    }

    fn need(
        &self,
        (role, action): (&str, &str),
        (used, row): (&UsePlan, &RowPlan),
        before: &str,
    ) -> PlannedNeed {
        let of = used.of.as_deref();
        let keys = row.keys.iter();
        PlannedNeed {
            role: role.to_owned(),
            action: action.to_owned(),
            on: on(&row.on, of),
            from: row
                .from
                .iter()
                .map(|field| joined(before, field.as_str()))
                .collect(),
            when: row.when.as_ref().map(|when| match before {
                "" => when.as_str().to_owned(),
                before => format!("{} (in {before})", when.as_str()),
            }),
            required: !row.possible,
            certainty: row.certainty.min(used.certainty),
            why: row.why.to_string(),
            page: row.page.as_deref().unwrap_or(&self.page).to_owned(),
            keys: keys
                .map(|(key, text)| (key.to_string(), written(text, of)))
                .collect(),
        }
    }
}

fn on(on: &On, of: Option<&str>) -> String {
    let named = match on {
        On::Any => "*",
        On::NotTold => "what the request does not tell",
        On::Bucket => "the bucket",
        On::Object => "the object",
        On::Prefix => "all objects whose keys begin so",
        On::Below => "all objects below it",
        On::Repository => "the image's repository",
        On::Key => "the key",
        On::Role => "the role",
        On::Arns(arns) => {
            let arns: Vec<String> = arns.iter().map(|arn| written(arn, of)).collect();
            return arns.join(" or ");
        }
    };
    named.to_owned()
}

fn written(text: &Text, of: Option<&str>) -> String {
    text.template.to_text().replace("${Of}", of.unwrap_or("*"))
}

fn joined(before: &str, field: &str) -> String {
    match (before, field) {
        ("", only) | (only, "") => only.to_owned(),
        _ => format!("{before}.{field}"),
    }
}
