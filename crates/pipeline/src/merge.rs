//! Merging what is sorted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::analyze::PipelineError;

/// Items in ascending order.
pub(crate) type SortedSource<'s, T> =
    Box<dyn Iterator<Item = Result<T, PipelineError>> + Send + 's>;

/// Gives the items of all sources in ascending order; of equal ones, the first source's first.
pub(crate) fn merge<T: Ord>(
    sources: Vec<SortedSource<'_, T>>,
    mut each: impl FnMut(T) -> Result<(), PipelineError>,
) -> Result<(), PipelineError> {
    let mut merged = Merged::new(sources)?;
    while let Some(item) = merged.next()? {
        each(item)?;
    }
    Ok(())
}

/// The items of all sources, for who asks for them: see [`merge`].
pub(crate) struct Merged<'s, T> {
    sources: Vec<SortedSource<'s, T>>,
    heap: BinaryHeap<Reverse<(T, usize)>>,
}

impl<'s, T: Ord> Merged<'s, T> {
    pub(crate) fn new(mut sources: Vec<SortedSource<'s, T>>) -> Result<Self, PipelineError> {
        let mut heap = BinaryHeap::with_capacity(sources.len());
        for (number, source) in sources.iter_mut().enumerate() {
            if let Some(first) = source.next().transpose()? {
                heap.push(Reverse((first, number)));
            }
        }
        Ok(Self { sources, heap })
    }

    pub(crate) fn next(&mut self) -> Result<Option<T>, PipelineError> {
        let Some(mut least) = self.heap.peek_mut() else {
            return Ok(None);
        };
        let Reverse((_, number)) = *least;
        let next = self.sources.get_mut(number).and_then(Iterator::next);
        let Reverse((item, _)) = match next.transpose()? {
            Some(next) => std::mem::replace(&mut *least, Reverse((next, number))),
            None => PeekMut::pop(least),
        };
        Ok(Some(item))
    }
}

/// What is merged, with items that belong together as one.
pub(crate) struct Joined<'s, T> {
    merged: Merged<'s, T>,
    /// Adds an item to the one before it, or gives it back where it is another.
    join: fn(&mut T, T) -> Option<T>,
    /// More of it may come.
    last: Option<T>,
}

impl<'s, T: Ord> Joined<'s, T> {
    pub(crate) fn new(
        sources: Vec<SortedSource<'s, T>>,
        join: fn(&mut T, T) -> Option<T>,
    ) -> Result<Self, PipelineError> {
        Ok(Self {
            merged: Merged::new(sources)?,
            join,
            last: None,
        })
    }

    pub(crate) fn next(&mut self) -> Result<Option<T>, PipelineError> {
        while let Some(item) = self.merged.next()? {
            let other = match &mut self.last {
                Some(last) => (self.join)(last, item),
                None => Some(item),
            };
            if let Some(other) = other
                && let Some(whole) = self.last.replace(other)
            {
                return Ok(Some(whole));
            }
        }
        Ok(self.last.take())
    }
}

/// Hands over portions, up to an empty one; while one is looked at, the next is made.
pub(crate) fn read_ahead<T: Send>(
    mut portion: impl FnMut() -> Result<Vec<T>, PipelineError> + Send,
    mut each: impl FnMut(Vec<T>) -> Result<(), PipelineError>,
) -> Result<(), PipelineError> {
    let mut now = portion()?;
    while !now.is_empty() {
        let mut next = Ok(Vec::new());
        // Who looks at them stays on its thread: what it holds need not be such that another could go on with it.
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| next = portion());
            each(now)
        })?;
        now = next?;
    }
    Ok(())
}
