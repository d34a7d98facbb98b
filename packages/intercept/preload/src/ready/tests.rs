use super::Busy;

#[test]
fn who_comes_second_does_not_give_up_what_the_first_has() {
    let first = Busy::take();
    assert!(first.is_some());
    for _ in 0..3 {
        assert!(Busy::take().is_none());
    }
    drop(first);
    assert!(Busy::take().is_some());
}
