//! Merging what is sorted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::analyze::PipelineError;

/// Items in ascending order.
pub(crate) type SortedSource<'s, T> = Box<dyn Iterator<Item = Result<T, PipelineError>> + 's>;

/// Gives the items of all sources in ascending order; of equal ones, the first source's first.
pub(crate) fn merge<T: Ord>(
    mut sources: Vec<SortedSource<'_, T>>,
    mut each: impl FnMut(T) -> Result<(), PipelineError>,
) -> Result<(), PipelineError> {
    let mut heap = BinaryHeap::with_capacity(sources.len());
    for (number, source) in sources.iter_mut().enumerate() {
        if let Some(first) = source.next().transpose()? {
            heap.push(Reverse((first, number)));
        }
    }
    while let Some(mut least) = heap.peek_mut() {
        let Reverse((_, number)) = *least;
        let next = sources.get_mut(number).and_then(Iterator::next);
        let Reverse((item, _)) = match next.transpose()? {
            Some(next) => std::mem::replace(&mut *least, Reverse((next, number))),
            None => PeekMut::pop(least),
        };
        each(item)?;
    }
    Ok(())
}
