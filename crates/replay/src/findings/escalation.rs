//! Ways for a principal to permissions that it does not have: it writes policies, or it hands a role to a
//! service that runs what it says.
//!
//! Whether it may is asked of the evaluator, so that boundaries, SCPs, denies and conditions count; which
//! actions make a way is data ([`WRITES`], [`SERVICES`]). No claim is made that these are all: they are
//! those that AWS's own page on the permissions management access level, and its list of services that
//! take a role, lead to.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_understand-policy-summary-access-level-summaries.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html>

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use retrial_iam::{Catalogue, Principal, PrincipalKind, Resource, Snapshot};

use super::asking::{Answer, Asker};
use super::differences::last_name;
use super::finding::Finding;
use super::kind::{FindingKind, FindingSeverity};

/// What a policy-writing action acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// A customer managed policy: of those that the principal has.
    OwnPolicy,
    /// The user itself.
    OwnUser,
    /// The role itself.
    OwnRole,
    /// A group that the user is in.
    OwnGroup,
    /// Any group.
    AnyGroup,
    /// Another user.
    OtherUser,
    /// Another role.
    OtherRole,
}

/// Actions that write what their own caller, or somebody whom it can become, may do.
const WRITES: &[(&str, Target, &str)] = &[
    (
        "iam:CreatePolicyVersion",
        Target::OwnPolicy,
        "rewrites a policy that it has",
    ),
    (
        "iam:SetDefaultPolicyVersion",
        Target::OwnPolicy,
        "brings back an older version of a policy that it has",
    ),
    (
        "iam:PutUserPolicy",
        Target::OwnUser,
        "writes a policy into itself",
    ),
    (
        "iam:AttachUserPolicy",
        Target::OwnUser,
        "attaches any policy to itself",
    ),
    (
        "iam:PutRolePolicy",
        Target::OwnRole,
        "writes a policy into itself",
    ),
    (
        "iam:AttachRolePolicy",
        Target::OwnRole,
        "attaches any policy to itself",
    ),
    (
        "iam:PutGroupPolicy",
        Target::OwnGroup,
        "writes a policy into its own group",
    ),
    (
        "iam:AttachGroupPolicy",
        Target::OwnGroup,
        "attaches any policy to its own group",
    ),
    ("iam:AddUserToGroup", Target::AnyGroup, "joins other groups"),
    (
        "iam:CreateAccessKey",
        Target::OtherUser,
        "makes access keys for other users",
    ),
    (
        "iam:CreateLoginProfile",
        Target::OtherUser,
        "gives other users a password",
    ),
    (
        "iam:UpdateLoginProfile",
        Target::OtherUser,
        "sets other users' passwords",
    ),
    (
        "iam:UpdateAssumeRolePolicy",
        Target::OtherRole,
        "lets itself into other roles",
    ),
];

/// A service that runs what its caller says, as a role that the caller hands it.
struct Service {
    principal: &'static str,
    /// All of one of these are needed besides `iam:PassRole`.
    jobs: &'static [&'static [&'static str]],
}

/// The services, SageMaker first.
const SERVICES: &[Service] = &[
    Service {
        principal: "sagemaker.amazonaws.com",
        jobs: &[
            &["sagemaker:CreateTrainingJob"],
            &["sagemaker:CreateProcessingJob"],
            &["sagemaker:CreateAutoMLJobV2"],
            &["sagemaker:CreateHyperParameterTuningJob"],
            &[
                "sagemaker:CreateNotebookInstance",
                "sagemaker:CreatePresignedNotebookInstanceUrl",
            ],
            &[
                "sagemaker:CreateModel",
                "sagemaker:CreateEndpointConfig",
                "sagemaker:CreateEndpoint",
            ],
            &["sagemaker:CreateModel", "sagemaker:CreateTransformJob"],
            &[
                "sagemaker:CreatePipeline",
                "sagemaker:StartPipelineExecution",
            ],
            &[
                "sagemaker:CreateUserProfile",
                "sagemaker:CreatePresignedDomainUrl",
            ],
        ],
    },
    Service {
        principal: "lambda.amazonaws.com",
        jobs: &[&["lambda:CreateFunction", "lambda:InvokeFunction"]],
    },
    Service {
        principal: "ec2.amazonaws.com",
        jobs: &[&["ec2:RunInstances"]],
    },
    Service {
        principal: "ecs-tasks.amazonaws.com",
        jobs: &[&["ecs:RegisterTaskDefinition", "ecs:RunTask"]],
    },
    Service {
        principal: "codebuild.amazonaws.com",
        jobs: &[&["codebuild:CreateProject", "codebuild:StartBuild"]],
    },
    Service {
        principal: "cloudformation.amazonaws.com",
        jobs: &[&["cloudformation:CreateStack"]],
    },
    Service {
        principal: "glue.amazonaws.com",
        jobs: &[
            &["glue:CreateJob", "glue:StartJobRun"],
            &["glue:CreateSession", "glue:RunStatement"],
        ],
    },
    Service {
        principal: "states.amazonaws.com",
        jobs: &[&["states:CreateStateMachine", "states:StartExecution"]],
    },
];

/// Whoever may do all of these anywhere has no way to more.
const ADMINISTRATORS: &[&str] = &[
    "iam:PutRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreatePolicyVersion",
    "iam:PassRole",
    "s3:DeleteBucket",
    "ec2:TerminateInstances",
    "kms:ScheduleKeyDeletion",
];

/// What one looks for in a role that one may hand to a service, besides ways to more of its own.
const WORTH_HAVING: &[&str] = &[
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
    "iam:PutUserPolicy",
    "iam:AttachUserPolicy",
    "iam:CreatePolicyVersion",
    "iam:CreateAccessKey",
    "iam:UpdateAssumeRolePolicy",
    "sts:AssumeRole",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "kms:PutKeyPolicy",
    "s3:PutBucketPolicy",
    "s3:DeleteBucket",
    "lambda:UpdateFunctionCode",
    "ec2:RunInstances",
];

/// Resources of one kind that are asked for one by one; for more, the answer is "on some".
const MOST_TARGETS: usize = 2_000;

/// The ways of a snapshot's principals to more permissions.
#[derive(Debug, Clone, Default)]
pub struct Escalations {
    pub(crate) findings: Vec<Finding>,
    /// For whom none was looked for.
    pub(crate) administrators: Vec<String>,
}

impl Escalations {
    /// All that are found: nothing counts but the policies.
    pub fn of(snapshot: &Snapshot, catalogue: &Catalogue) -> Escalations {
        let (findings, administrators) = escalations(snapshot, catalogue);
        Escalations {
            findings,
            administrators,
        }
    }
}

fn escalations(snapshot: &Snapshot, catalogue: &Catalogue) -> (Vec<Finding>, Vec<String>) {
    let mut ways = Ways {
        asker: Asker::new(snapshot, catalogue),
        administrators: BTreeSet::new(),
        strength: BTreeMap::new(),
        roles: BTreeMap::new(),
    };
    let principals: Vec<&Principal> = snapshot
        .principals()
        .filter(|one| one.kind != PrincipalKind::Root)
        .collect();
    for principal in &principals {
        if ways.is_administrator(principal) {
            ways.administrators.insert(&principal.arn);
        }
    }
    let mut findings = Vec::new();
    let asked = principals
        .iter()
        .filter(|one| !one.is_service_linked() && !one.arn.contains(":role/aws-service-role/"));
    for principal in asked {
        if ways.administrators.contains(principal.arn.as_str()) {
            continue;
        }
        findings.extend(ways.by_writing(principal));
        findings.extend(ways.by_passing(principal, &principals));
    }
    let administrators = ways.administrators.iter().map(|arn| (*arn).to_owned());
    (findings, administrators.collect())
}

struct Ways<'s> {
    asker: Asker<'s>,
    administrators: BTreeSet<&'s str>,
    /// Of a principal: what of [`WORTH_HAVING`] it may do, on some resource at least.
    strength: BTreeMap<&'s str, Strength>,
    /// Of an account: the roles that services may run as.
    roles: BTreeMap<&'s str, Rc<[Role<'s>]>>,
}

/// A role that a principal may hand to a service.
struct Role<'s> {
    principal: &'s Principal,
    is_administrator: bool,
    strength: Strength,
}

/// Actions of [`WORTH_HAVING`], a bit for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Strength(u32);

const _: () = assert!(WORTH_HAVING.len() <= u32::BITS as usize);

impl Strength {
    fn add(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    /// What the other has besides.
    fn lacks(self, other: Strength) -> Strength {
        Strength(other.0 & !self.0)
    }

    fn is_none(self) -> bool {
        self.0 == 0
    }

    fn actions(self) -> BTreeSet<&'static str> {
        let actions = WORTH_HAVING.iter().enumerate();
        actions
            .filter(|(place, _)| self.0 & (1 << place) != 0)
            .map(|(_, action)| *action)
            .collect()
    }
}

impl<'s> Ways<'s> {
    fn is_administrator(&mut self, principal: &'s Principal) -> bool {
        ADMINISTRATORS.iter().all(|action| {
            let answer = self
                .asker
                .ask(principal, action, Resource::Unknown("*"), &[]);
            answer == Answer::Yes
        })
    }

    /// The answer of the kind of resource that `action` acts on: the best of all targets.
    fn on_target(&mut self, principal: &'s Principal, action: &str, target: Target) -> Answer {
        if self.asker.is_out_of_reach(principal, action) {
            return Answer::No;
        }
        let account = &principal.account;
        let partition = principal.arn.split(':').nth(1).unwrap_or("aws");
        let any = |kind: &str| format!("arn:{partition}:iam::{account}:{kind}/*");
        let all = match target {
            Target::OwnPolicy => any("policy"),
            Target::OwnUser | Target::OtherUser => any("user"),
            Target::OwnRole | Target::OtherRole => any("role"),
            Target::OwnGroup | Target::AnyGroup => any("group"),
        };
        // Most principals may do none of it on anything.
        let whole = self
            .asker
            .ask(principal, action, Resource::Unknown(&all), &[]);
        if matches!(whole, Answer::No) {
            return whole;
        }
        let targets = self.targets(principal, target);
        if targets.is_empty() {
            return Answer::No;
        }
        if whole == Answer::Yes || targets.len() > MOST_TARGETS {
            return whole;
        }
        let mut best = Answer::No;
        for arn in targets {
            match self.asker.ask(principal, action, Resource::Arn(arn), &[]) {
                Answer::Yes => return Answer::OnSome,
                Answer::No => {}
                answer => best = answer,
            }
        }
        best
    }

    fn targets(&self, principal: &'s Principal, target: Target) -> Vec<&'s str> {
        let others = |kind: PrincipalKind| -> Vec<&'s str> {
            let all = self.asker.snapshot().principals();
            all.filter(|other| {
                other.kind == kind
                    && other.account == principal.account
                    && other.arn != principal.arn
            })
            .filter(|other| !other.is_service_linked())
            .map(|other| other.arn.as_str())
            .collect()
        };
        let groups = || {
            principal
                .identity
                .iter()
                .filter_map(|policy| match &policy.source {
                    retrial_iam::PolicySource::Group(group) => Some(&**group),
                    _ => None,
                })
        };
        let own = |kind: PrincipalKind| {
            let arn = (principal.kind == kind).then_some(principal.arn.as_str());
            arn.into_iter().collect()
        };
        match target {
            Target::OwnUser => own(PrincipalKind::User),
            Target::OwnRole => own(PrincipalKind::Role),
            Target::OtherUser => others(PrincipalKind::User),
            Target::OtherRole => others(PrincipalKind::Role),
            Target::OwnGroup => groups().collect(),
            Target::AnyGroup => match principal.kind {
                PrincipalKind::User => self.groups_of_others(principal),
                _ => Vec::new(),
            },
            Target::OwnPolicy => {
                let policies = principal.identity.iter().map(|policy| &*policy.id);
                policies
                    .filter(|id| {
                        id.contains(":policy/") && id.split(':').nth(4) == Some(&principal.account)
                    })
                    .collect()
            }
        }
    }

    /// Groups of the account that others are in.
    fn groups_of_others(&self, principal: &'s Principal) -> Vec<&'s str> {
        let all = self.asker.snapshot().principals();
        let policies = all
            .filter(|other| other.account == principal.account && other.arn != principal.arn)
            .flat_map(|other| &other.identity);
        let groups: BTreeSet<&str> = policies
            .filter_map(|policy| match &policy.source {
                retrial_iam::PolicySource::Group(group) => Some(&**group),
                _ => None,
            })
            .collect();
        groups.into_iter().collect()
    }

    /// One finding per principal: it writes policies.
    fn by_writing(&mut self, principal: &'s Principal) -> Option<Finding> {
        let mut firm = Vec::new();
        let mut conditional = Vec::new();
        for (action, target, what) in WRITES {
            match self.on_target(principal, action, *target) {
                Answer::Yes | Answer::OnSome => firm.push(format!("{action}: {what}")),
                Answer::Depends(waits) => conditional.push(format!(
                    "{action}: {what}, depending on {}",
                    waits.join(", ")
                )),
                Answer::No => {}
            }
        }
        let severity = match (firm.is_empty(), conditional.is_empty()) {
            (false, _) => FindingSeverity::High,
            (true, false) => FindingSeverity::Low,
            (true, true) => return None,
        };
        let name = last_name(&principal.arn);
        let ways = if firm.is_empty() { &conditional } else { &firm };
        let first = ways
            .first()
            .and_then(|way| way.split(':').nth(2))
            .unwrap_or_default();
        let message = format!(
            "{name} can give itself more permissions{}:{first}{}",
            if firm.is_empty() {
                ", if conditions allow"
            } else {
                ""
            },
            and_more(ways.len())
        );
        let remedy = "take these actions away, limit their resources, or set a permissions boundary that the principal cannot lift";
        let mut finding = Finding::new(FindingKind::PrivilegeEscalation, severity, message, remedy)
            .of(&principal.arn)
            .list("ways", firm.into_iter().chain(conditional));
        finding.action = Some("iam:*".to_owned());
        Some(finding)
    }

    /// One finding per principal, with all roles that it can act as through a service.
    fn by_passing(&mut self, principal: &'s Principal, all: &[&'s Principal]) -> Option<Finding> {
        let partition = principal.arn.split(':').nth(1).unwrap_or("aws");
        let any_role = format!("arn:{partition}:iam::{}:role/*", principal.account);
        let may_pass = self
            .asker
            .ask(principal, "iam:PassRole", Resource::Unknown(&any_role), &[]);
        if may_pass == Answer::No {
            return None;
        }
        let mut ways = BTreeSet::new();
        let mut roles: BTreeSet<&'s str> = BTreeSet::new();
        for service in SERVICES {
            let Some(job) = self.job(principal, service) else {
                continue;
            };
            let own = self.strength_of(principal);
            for role in self.roles_of(principal, all).iter() {
                let is_worth = role.is_administrator || !own.lacks(role.strength).is_none();
                let role = role.principal;
                if !is_worth || role.arn == principal.arn {
                    continue;
                }
                let keys = [("iam:PassedToService", service.principal)];
                let passes =
                    self.asker
                        .ask(principal, "iam:PassRole", Resource::Arn(&role.arn), &keys);
                if passes == Answer::Yes && self.asker.service_may_assume(service.principal, role) {
                    ways.insert(format!("iam:PassRole + {}", job.join(" + ")));
                    roles.insert(&role.arn);
                }
            }
        }
        let own = self.strength_of(principal);
        let gained = roles.iter().filter_map(|role| self.strength.get(*role));
        let gained = gained.fold(Strength::default(), |sum, role| Strength(sum.0 | role.0));
        let gains = own.lacks(gained).actions();
        let administrator = roles
            .iter()
            .find(|role| self.administrators.contains(**role))
            .copied();
        (!roles.is_empty()).then(|| passing(principal, (&roles, administrator), (&ways, &gains)))
    }

    /// A job of the service that the principal may start: the first of those there are.
    fn job(
        &mut self,
        principal: &'s Principal,
        service: &Service,
    ) -> Option<&'static [&'static str]> {
        service.jobs.iter().copied().find(|actions| {
            actions.iter().all(|action| {
                let answer = self
                    .asker
                    .ask(principal, action, Resource::Unknown("*"), &[]);
                matches!(answer, Answer::Yes | Answer::OnSome)
            })
        })
    }

    /// The roles of a principal's account, and what acting as each gives.
    fn roles_of(&mut self, principal: &'s Principal, all: &[&'s Principal]) -> Rc<[Role<'s>]> {
        if let Some(known) = self.roles.get(principal.account.as_str()) {
            return Rc::clone(known);
        }
        let of_account = all.iter().filter(|role| {
            role.kind == PrincipalKind::Role
                && role.account == principal.account
                && !role.is_service_linked()
        });
        let mut roles = Vec::new();
        for principal in of_account {
            let is_administrator = self.administrators.contains(principal.arn.as_str());
            roles.push(Role {
                principal,
                is_administrator,
                strength: match is_administrator {
                    true => Strength::default(),
                    false => self.strength_of(principal),
                },
            });
        }
        let roles: Rc<[Role<'s>]> = roles.into();
        self.roles.insert(&principal.account, Rc::clone(&roles));
        roles
    }

    fn strength_of(&mut self, principal: &'s Principal) -> Strength {
        if let Some(known) = self.strength.get(principal.arn.as_str()) {
            return *known;
        }
        let mut strength = Strength::default();
        let asked = (WORTH_HAVING, Resource::Unknown("*"));
        self.asker.ask_each(principal, asked, &mut |place, answer| {
            if matches!(answer, Answer::Yes | Answer::OnSome) {
                strength.add(place);
            }
        });
        self.strength.insert(&principal.arn, strength);
        strength
    }
}

fn and_more(ways: usize) -> String {
    match ways {
        0 | 1 => String::new(),
        2 => " (and one more way)".to_owned(),
        more => format!(" (and {} more ways)", more - 1),
    }
}

fn passing(
    principal: &Principal,
    (roles, administrator): (&BTreeSet<&str>, Option<&str>),
    (ways, gains): (&BTreeSet<String>, &BTreeSet<&str>),
) -> Finding {
    let writes = gains.iter().any(|action| action.starts_with("iam:"));
    let severity = match administrator.is_some() || writes {
        true => FindingSeverity::High,
        false => FindingSeverity::Medium,
    };
    let first = administrator.or(roles.first().copied()).unwrap_or_default();
    let what = match administrator {
        Some(_) => "may do everything".to_owned(),
        None => {
            let gains: Vec<&str> = gains.iter().copied().collect();
            format!("may {}", gains.join(", "))
        }
    };
    let others = match roles.len() {
        0 | 1 => String::new(),
        2 => ", and as one other role".to_owned(),
        more => format!(", and as {} other roles", more - 1),
    };
    let message = format!(
        "{} can run code as {}, which {what}{others}",
        last_name(&principal.arn),
        last_name(first)
    );
    let remedy =
        "let the PassRole statement name only roles that may do no more than the job needs";
    let mut finding = Finding::new(FindingKind::PrivilegeEscalation, severity, message, remedy)
        .of(&principal.arn)
        .list("ways", ways.iter().cloned())
        .list("roles", roles.iter().copied())
        .list("gains", gains.iter().copied());
    finding.action = Some("iam:PassRole".to_owned());
    finding
}
