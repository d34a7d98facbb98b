use super::{broadcast, mask_v4, mask_v6};
use netcon_wire::{Interface, MAX_INTERFACE_ADDRESSES};

#[test]
fn masks_are_the_prefix() {
    for (prefix, want) in [
        (0, [0; 4]),
        (8, [255, 0, 0, 0]),
        (23, [255, 255, 254, 0]),
        (32, [255; 4]),
    ] {
        assert_eq!(mask_v4(prefix), want, "/{prefix}");
    }
    assert_eq!(mask_v6(0), [0; 16]);
    assert_eq!(mask_v6(64).map(u32::from).iter().sum::<u32>(), 8 * 255);
    assert_eq!(mask_v6(128), [255; 16]);
    assert_eq!(mask_v6(200), [255; 16], "no prefix is longer");
}

#[test]
fn broadcast_is_the_last_address_of_a_network_that_has_one() {
    for (flags, prefix, want) in [
        (0x1043, 24, Some([10, 77, 0, 255])),
        (0x1043, 30, Some([10, 77, 0, 3])),
        (0x1043, 31, None),
        (0x1043, 32, None),
        (0x49, 8, None),
    ] {
        let found = broadcast(&interface(flags), [10, 77, 0, 2], prefix);
        assert_eq!(found, want, "flags {flags:x} /{prefix}");
    }
}

fn interface(flags: u32) -> Interface {
    Interface {
        name: [0; 16],
        index: 2,
        flags,
        hardware: 1,
        mtu: 1500,
        queue: 1000,
        mac: [0; 6],
        addresses: [Interface::NO_ADDRESS; MAX_INTERFACE_ADDRESSES],
        count: 0,
    }
}
