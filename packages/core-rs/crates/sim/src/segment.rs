//! What the kernel or a network card does with a frame's metadata, written independently of the
//! stack: segmentation of TCP and full checksums.

use netcon_stack::TxMeta;

/// The frames that leave the card for a frame with metadata.
pub fn cut(meta: &TxMeta, frame: &[u8]) -> Vec<Vec<u8>> {
    let Some(gso) = meta.gso else {
        return vec![finish(meta, frame.to_vec())];
    };
    let headers = usize::from(gso.hdr_len);
    let size = usize::from(gso.size);
    let start = usize::from(meta.csum.map_or(0, |csum| csum.start));
    assert!(size > 0 && headers < frame.len() && start >= 34, "{meta:?}");
    let payload = &frame[headers..];
    let last = payload.len().div_ceil(size) - 1;
    let pieces = payload.chunks(size).enumerate().map(|(index, part)| {
        let mut piece = frame[..headers].to_vec();
        piece.extend_from_slice(part);
        let seq = u32::from_be_bytes([
            piece[start + 4],
            piece[start + 5],
            piece[start + 6],
            piece[start + 7],
        ]);
        let seq = seq.wrapping_add(u32::try_from(index * size).unwrap_or(0));
        piece[start + 4..start + 8].copy_from_slice(&seq.to_be_bytes());
        if index != last {
            piece[start + 13] &= !0x09;
        }
        let ip_len = piece.len() - 14;
        if gso.v6 {
            let len = u16::try_from(ip_len - 40).unwrap_or(0);
            piece[18..20].copy_from_slice(&len.to_be_bytes());
        } else {
            let len = u16::try_from(ip_len).unwrap_or(0);
            piece[16..18].copy_from_slice(&len.to_be_bytes());
            piece[24..26].fill(0);
            let sum = !fold(sum(&piece[14..start]));
            piece[24..26].copy_from_slice(&sum.to_be_bytes());
        }
        let pseudo = fold(pseudo(&piece, gso.v6, start));
        piece[start + 16..start + 18].copy_from_slice(&pseudo.to_be_bytes());
        finish(meta, piece)
    });
    pieces.collect()
}

/// Completes a partial checksum as virtio says: the sum of everything from `start`, the field's
/// content included, inverted into the field.
fn finish(meta: &TxMeta, mut frame: Vec<u8>) -> Vec<u8> {
    if let Some(csum) = meta.csum {
        let start = usize::from(csum.start);
        let field = start + usize::from(csum.offset);
        let sum = !fold(sum(&frame[start..]));
        frame[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    }
    frame
}

fn pseudo(frame: &[u8], v6: bool, start: usize) -> u64 {
    let addresses = if v6 { &frame[22..54] } else { &frame[26..34] };
    sum(addresses) + 6 + (frame.len() - start) as u64
}

fn sum(bytes: &[u8]) -> u64 {
    bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
        .sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(0)
}
