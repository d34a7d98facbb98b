use super::*;

fn at(ms: i64) -> Instant {
    Instant::from_millis(ms)
}

#[test]
fn later_deadline_adds_no_entry() {
    let (mut timers, mut alarm, id) = (Timers::default(), Alarm::default(), PcbId::new(1, 1));
    timers.set(id, &mut alarm, Some(at(10)));
    for ms in 11..1000 {
        timers.set(id, &mut alarm, Some(at(ms)));
    }
    assert_eq!(timers.len(), 1);
}

#[test]
fn entry_due_before_its_deadline_is_rearmed() {
    let (mut timers, mut alarm, id) = (Timers::default(), Alarm::default(), PcbId::new(1, 1));
    timers.set(id, &mut alarm, Some(at(10)));
    timers.set(id, &mut alarm, Some(at(20)));
    assert_eq!(timers.first(), Some((at(10), id)));
    timers.pop();
    assert_eq!(timers.judge(id, &mut alarm, at(10)), Due::Stale);
    assert_eq!(timers.first(), Some((at(20), id)));
    timers.pop();
    assert_eq!(timers.judge(id, &mut alarm, at(20)), Due::Run);
    assert_eq!(timers.first(), None);
}

#[test]
fn disarmed_deadline_does_not_run() {
    let (mut timers, mut alarm, id) = (Timers::default(), Alarm::default(), PcbId::new(1, 1));
    timers.set(id, &mut alarm, Some(at(10)));
    timers.set(id, &mut alarm, None);
    timers.pop();
    assert_eq!(timers.judge(id, &mut alarm, at(10)), Due::Stale);
    assert_eq!(timers.first(), None);
}

#[test]
fn earlier_deadline_supersedes() {
    let (mut timers, mut alarm, id) = (Timers::default(), Alarm::default(), PcbId::new(1, 1));
    timers.set(id, &mut alarm, Some(at(20)));
    timers.set(id, &mut alarm, Some(at(5)));
    timers.pop();
    assert_eq!(timers.judge(id, &mut alarm, at(5)), Due::Run);
    timers.pop();
    assert_eq!(timers.judge(id, &mut alarm, at(20)), Due::Stale);
}
