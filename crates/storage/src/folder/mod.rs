//! A folder of the local file system as a source and as a store.

mod source;
mod store;
mod temporary;
mod walk;

pub use source::FolderSource;
pub use store::FolderStore;
