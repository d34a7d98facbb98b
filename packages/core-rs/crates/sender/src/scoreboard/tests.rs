use super::{Place, Record, Scoreboard};
use crate::rate::Stamp;
use crate::time::Time;

const MSS: u64 = 1000;

fn board(flights: &[u64]) -> Scoreboard {
    let mut board = Scoreboard::default();
    for octets in flights {
        let start = board.nxt();
        board.push(Record {
            start,
            end: start + octets,
            place: Place::Flying,
            again: false,
            sent: Time::default(),
            stamp: Stamp::default(),
            base: start,
            mss: 1000,
        });
    }
    board
}

fn sack(board: &mut Scoreboard, start: u64, end: u64) -> u64 {
    let mut count = 0;
    board.sack(start, end, &mut |record| count += record.len());
    count
}

fn ack(board: &mut Scoreboard, to: u64) -> u64 {
    let mut count = 0;
    board.acknowledge(to, &mut |record| count += record.len());
    count
}

/// (flying, sacked, lost), which the records must agree with.
fn counts(board: &Scoreboard) -> (u64, u64, u64) {
    let of = |place| {
        board
            .records()
            .filter(|record| record.place == place)
            .map(Record::len)
            .sum::<u64>()
    };
    assert_eq!(of(Place::Flying), board.flying());
    assert_eq!(of(Place::Sacked), board.sacked());
    assert_eq!(of(Place::Lost), board.lost());
    let mut at = board.una();
    for record in board.records() {
        assert_eq!(record.start, at, "no gap, no overlap");
        at = record.end;
    }
    assert_eq!(at, board.nxt());
    (board.flying(), board.sacked(), board.lost())
}

/// RFC 2018 8, the examples: eight segments of 500 octets, some lost, beginning with 5000.
#[test]
fn rfc_2018_examples() {
    // Case 2: the first of 8 is lost; each other's arrival reports one block that grows.
    let mut lost_first = board(&[500; 8]);
    for last in 2..=8 {
        assert_eq!(sack(&mut lost_first, 500, last * 500), 500);
    }
    assert_eq!(counts(&lost_first), (500, 3500, 0));
    assert_eq!(lost_first.len(), 2);
    // Case 3: 2, 4, 6, 8 are lost; blocks newest first.
    let mut every_other = board(&[500; 8]);
    ack(&mut every_other, 500);
    assert_eq!(sack(&mut every_other, 1000, 1500), 500);
    sack(&mut every_other, 2000, 2500);
    sack(&mut every_other, 1000, 1500);
    sack(&mut every_other, 3000, 3500);
    assert_eq!(counts(&every_other), (2000, 1500, 0));
    // The fourth arrives late: 1000 to 2500 is one block.
    assert_eq!(sack(&mut every_other, 1000, 2500), 500);
    assert_eq!(counts(&every_other), (1500, 2000, 0));
    assert_eq!(ack(&mut every_other, 2500), 500, "only the second is news");
    assert_eq!(counts(&every_other), (1000, 500, 0));
}

#[test]
fn super_frame_is_cut_at_its_segments_only() {
    let mut board = board(&[8 * MSS]);
    assert_eq!(
        sack(&mut board, 2 * MSS + 1, 5 * MSS - 1),
        MSS,
        "3000 to 4000"
    );
    assert_eq!(counts(&board), (7 * MSS, MSS, 0));
    assert_eq!(sack(&mut board, 6 * MSS + 10, 6 * MSS + 20), 0);
    assert_eq!(board.len(), 3);
}

#[test]
fn peer_that_acknowledges_crumbs_does_not_make_records() {
    let mut board = board(&[100 * MSS]);
    for at in (0..100 * MSS).step_by(7) {
        sack(&mut board, at, at + 3);
    }
    assert_eq!(board.len(), 1);
    for at in (0..100 * MSS).step_by(2 * 1000) {
        sack(&mut board, at, at + MSS);
    }
    assert_eq!(board.len(), 100);
}

#[test]
fn acknowledgement_inside_a_segment_leaves_its_rest() {
    let mut board = board(&[4 * MSS]);
    assert_eq!(ack(&mut board, MSS + 100), MSS + 100);
    assert_eq!(counts(&board), (3 * MSS - 100, 0, 0));
    assert_eq!(
        sack(&mut board, 2 * MSS, 3 * MSS),
        MSS,
        "segments are where they were"
    );
}

#[test]
fn lost_octets_leave_again_in_order() {
    let mut board = board(&[MSS; 6]);
    sack(&mut board, 2 * MSS, 3 * MSS);
    sack(&mut board, 5 * MSS, 6 * MSS);
    let lost = board.lose(|record| Some(record.start < 5 * MSS && record.start != MSS));
    assert_eq!((lost, counts(&board)), (3 * MSS, (MSS, 2 * MSS, 3 * MSS)));
    let order: Vec<u64> = std::iter::from_fn(|| board.resend(MSS, |_| ()))
        .map(|record| record.start)
        .collect();
    assert_eq!(order, [0, 3 * MSS, 4 * MSS]);
    assert_eq!(counts(&board), (4 * MSS, 2 * MSS, 0));
    assert!(board.records().filter(|r| r.again).count() == 3);
}

#[test]
fn part_of_a_lost_flight_leaves_again() {
    let mut board = board(&[5 * MSS]);
    board.lose(|_| Some(true));
    let first = board
        .resend(2 * MSS, |record| record.mss = 500)
        .expect("lost");
    assert_eq!((first.start, first.end, first.base), (0, 2 * MSS, 0));
    assert_eq!(counts(&board), (2 * MSS, 0, 3 * MSS));
}

#[test]
fn tail_with_its_fin_leaves_again_together() {
    let mut board = board(&[3 * MSS, 1]);
    let tail = board.resend_tail(MSS + 1, |_| ()).expect("under way");
    assert_eq!((tail.start, tail.end), (2 * MSS, 3 * MSS + 1));
    assert_eq!(counts(&board), (3 * MSS + 1, 0, 0));
}

#[test]
fn what_was_taken_back_is_lost() {
    let mut board = board(&[MSS; 4]);
    sack(&mut board, 0, MSS);
    sack(&mut board, 2 * MSS, 3 * MSS);
    board.lose(|_| Some(true));
    board.renege();
    assert_eq!(counts(&board), (0, 0, 4 * MSS));
    assert_eq!(
        board.resend(MSS, |_| ()).map(|record| record.start),
        Some(0)
    );
}

#[test]
fn timeout_taken_back_leaves_what_was_not_sent_again() {
    let mut board = board(&[MSS; 3]);
    board.lose(|_| Some(true));
    board.resend(MSS, |_| ());
    board.unlose();
    assert_eq!(counts(&board), (3 * MSS, 0, 0));
}
