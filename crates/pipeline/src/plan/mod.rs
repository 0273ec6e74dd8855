//! The plan: which log files a run reads, and in which order.
//!
//! [`Planner`] yields one delivery day after the other as a [`DayPlan`]: the day's files that no
//! earlier run of the output has read, in the order of their stamps. A plan is stored before it is
//! worked ([`stored`]) and kept afterwards: the completed plans are the list of what was read
//! ([`earlier`]).
//!
//! * [`discover`] walks the sources down to the delivery days of CloudTrail's layout, so that a day is
//!   listed by itself; files that stand elsewhere are found at once, and [`order`] brings them into the
//!   order of days. [`files_from`] reads a list instead.
//! * [`mod@status`] says what the plans and the manifest of an output tell.

mod days;
mod discover;
mod earlier;
mod error;
mod file;
mod files_from;
mod options;
mod order;
mod planner;
mod replaced;
mod set_aside;
mod shard;
mod status;
mod stored;
#[cfg(test)]
mod tests;
mod walk;

pub use days::{DayRange, DayRangeError};
pub(crate) use days::{day_number, parse_delivery_date};
pub use error::{FilesFromProblem, PlanError, PlanProblem};
pub use file::PlannedFile;
pub use options::{LOOK_BACK_DAYS, PlanOptions, PlannedBefore};
pub use planner::{LeftOver, Planner};
pub(crate) use replaced::Replaced;
pub use set_aside::{SetAside, Unlisted};
pub use shard::{Shard, ShardError};
pub use status::{
    DayCount, DecidedBy, Gap, Health, Interrupted, ListedObject, PlaceStatus, Status, StatusParts,
    status,
};
pub use stored::{DayPlan, PlanRef};
