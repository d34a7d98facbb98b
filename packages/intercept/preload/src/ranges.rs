//! close_range(2) around an fd that must stay open.

/// The parts of `first..=last` without `keep`, in order.
pub(crate) fn without(first: u32, last: u32, keep: Option<u32>) -> [Option<(u32, u32)>; 2] {
    let Some(keep) = keep.filter(|keep| (first..=last).contains(keep)) else {
        return [Some((first, last)), None];
    };
    let below = keep.checked_sub(1).filter(|end| *end >= first);
    let above = keep.checked_add(1).filter(|start| *start <= last);
    [
        below.map(|end| (first, end)),
        above.map(|start| (start, last)),
    ]
}

#[cfg(test)]
mod tests;
