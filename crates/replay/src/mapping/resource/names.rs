//! ARNs from names: the catalogue's template, the spellings of it, and IAM's paths.

use bumpalo::collections::Vec as BumpVec;

use super::{Finds, Found, How, Origin, ResourcePlan};
use crate::mapping::MappedResource;
use crate::mapping::form::PathForm;
use crate::mapping::path::Path;
use crate::mapping::template::account_of;
use crate::mapping::view::{View, decode};

impl ResourcePlan {
    /// Fills the template; `values` keeps what was found, for [`ResourcePlan::pattern`].
    pub(super) fn named<'a>(
        &self,
        view: &View<'a, '_>,
        values: &mut BumpVec<'a, Option<&'a str>>,
        finds: &mut Finds<'a>,
    ) {
        let mut list: Option<(usize, BumpVec<'a, &'a str>)> = None;
        for (index, paths) in self.names.iter().enumerate() {
            let mut texts = BumpVec::new_in(view.arena);
            for path in paths {
                path.texts(view, &mut texts);
                texts.retain(|text| {
                    !text.is_empty() && (self.begins.is_none() || self.is_name(text))
                });
                if !texts.is_empty() {
                    break;
                }
            }
            values.push(texts.first().copied());
            if texts.len() > 1 && list.is_none() {
                list = Some((index, texts));
            }
        }
        if self.names.is_empty() || values.iter().any(Option::is_none) {
            return;
        }
        match list {
            None => self.push_named(values, view, finds),
            Some((index, texts)) => {
                let mut each = values.clone();
                for text in texts {
                    if let Some(value) = each.get_mut(index) {
                        *value = Some(text);
                    }
                    self.push_named(&each, view, finds);
                }
                // None of the names alone says what the form is.
                if let Some(value) = values.get_mut(index) {
                    *value = None;
                }
            }
        }
    }

    fn push_named<'a>(
        &self,
        values: &[Option<&'a str>],
        view: &View<'a, '_>,
        finds: &mut Finds<'a>,
    ) {
        if let Some(arn) = values
            .iter()
            .flatten()
            .find(|value| value.starts_with("arn:"))
        {
            let kind = view.facts.catalogue.type_of_arn(&self.service, arn);
            if kind.is_none_or(|kind| kind.name == &*self.kind) {
                self.push_arn(
                    arn,
                    account_of(arn).or_else(|| self.default_account(view)),
                    view,
                    finds,
                );
            }
            return;
        }
        if values
            .first()
            .is_some_and(|first| first.is_some_and(|first| !self.is_name(first)))
        {
            return;
        }
        let account = self
            .account
            .as_ref()
            .and_then(|path| path.text(view))
            .unwrap_or(view.facts.account);
        match self.path {
            Some(form) => self.push_with_path(form, account, values, view, finds),
            None => self.push_built(account, values, view, finds),
        }
    }

    fn push_built<'a>(
        &self,
        account: &str,
        values: &[Option<&'a str>],
        view: &View<'a, '_>,
        finds: &mut Finds<'a>,
    ) {
        let arn = self.template.fill(view, account, values);
        let owner = if self.template.has_account() {
            account_of(arn)
        } else {
            self.owner(view)
        };
        let mut spellings = self.other_ending(arn, view);
        let mut main = arn;
        if self.lower_case
            && values
                .iter()
                .flatten()
                .any(|value| value.bytes().any(|byte| byte.is_ascii_uppercase()))
        {
            let mut lowered = BumpVec::new_in(view.arena);
            lowered.extend(values.iter().map(|value| {
                value.map(|value| &*view.arena.alloc_str(&value.to_ascii_lowercase()))
            }));
            main = self.template.fill(view, account, &lowered);
            spellings = view.arena.alloc_slice_copy(&[arn]);
        } else if self.url_encoded && values.iter().flatten().any(|value| value.contains('%')) {
            let mut decoded = BumpVec::new_in(view.arena);
            decoded.extend(
                values
                    .iter()
                    .map(|value| value.map(|value| decode(value, view.arena))),
            );
            spellings = view
                .arena
                .alloc_slice_copy(&[self.template.fill(view, account, &decoded)]);
        }
        let resource = MappedResource::Arn {
            arn: main,
            spellings,
            account: owner,
        };
        finds.push(Found {
            resource,
            certainty: self.names_certainty.min(self.certainty),
            // What an id begins with says of which type it is.
            how: if self.begins.is_some() {
                How::Given
            } else {
                How::Named
            },
            origin: Origin::NotRecorded,
        });
    }

    /// Names of users, groups, roles, policies and instance profiles come without their path, and
    /// the ARN has it.
    /// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
    fn push_with_path<'a>(
        &self,
        form: PathForm,
        account: &'a str,
        values: &[Option<&'a str>],
        view: &View<'a, '_>,
        finds: &mut Finds<'a>,
    ) {
        let Some(Some(name)) = values.first().copied() else {
            return;
        };
        let snapshot = view.facts.snapshot;
        let known: Option<&'a str> = match form {
            PathForm::Request => {
                let path = Path::parse("path")
                    .and_then(|path| path.text(view))
                    .unwrap_or("/");
                let with_path =
                    bumpalo::format!(in view.arena, "{}{}", path.trim_start_matches('/'), name);
                Some(
                    self.template
                        .fill(view, account, &[Some(with_path.into_bump_str())]),
                )
            }
            PathForm::Role => snapshot
                .and_then(|snapshot| snapshot.role_by_name(account, name))
                .map(|role| &*role.arn),
            PathForm::User
                if view.facts.caller_name == Some(name)
                    && view.facts.caller_account == Some(account) =>
            {
                view.facts.caller_arn
            }
            PathForm::User => snapshot
                .and_then(|snapshot| snapshot.user_by_name(account, name))
                .map(|user| &*user.arn),
            PathForm::Group => snapshot.and_then(|snapshot| snapshot.group_arn(account, name)),
            PathForm::Unknown => None,
        };
        match known {
            Some(arn) => self.push_arn(arn, account_of(arn), view, finds),
            None => {
                let ending = bumpalo::format!(in view.arena, "*{}", name).into_bump_str();
                let pattern = self.template.fill(view, account, &[Some(ending)]);
                let resource = MappedResource::Unknown {
                    pattern,
                    account: account_of(pattern),
                };
                finds.push(Found {
                    resource,
                    certainty: self.certainty,
                    how: How::NotFound,
                    origin: Origin::NotRecorded,
                });
            }
        }
    }
}
