use super::*;

#[test]
fn causes_map_to_linux_numbers() {
    let table = [
        (Cause::Reset, 104, "tcp(7): RST received"),
        (Cause::Refused, 111, "connect(2): RST to the SYN"),
        (Cause::TimedOut, 110, "tcp(7): no acknowledgment"),
        (Cause::HostUnreachable, 113, "icmp(7): host unreachable"),
        (Cause::NetUnreachable, 101, "icmp(7): net unreachable"),
        (
            Cause::ProtocolUnreachable,
            92,
            "icmp(7): protocol unreachable",
        ),
        (Cause::Denied, 13, "ipv6: administratively prohibited"),
    ];
    for (cause, want, why) in table {
        assert_eq!(cause.errno(), want, "{why}");
        assert_eq!(IoError::Failed(cause).errno(), want, "{why}");
    }
}

#[test]
fn verbs_map_to_linux_numbers() {
    let table = [
        (BindError::InUse.errno(), 98, "bind(2)"),
        (BindError::NotAvailable.errno(), 99, "bind(2)"),
        (BindError::Invalid.errno(), 22, "bind(2): already bound"),
        (ListenError::InUse.errno(), 98, "listen(2)"),
        (ListenError::Invalid.errno(), 22, "listen(2)"),
        (ConnectError::IsConnected.errno(), 106, "connect(2)"),
        (ConnectError::InProgress.errno(), 114, "connect(2)"),
        (ConnectError::NetUnreachable.errno(), 101, "connect(2)"),
        (
            ConnectError::NotAvailable.errno(),
            99,
            "connect(2): ports exhausted",
        ),
        (ConnectError::Family.errno(), 97, "connect(2)"),
        (OpenError::TableFull.errno(), 105, "socket(2)"),
        (IoError::Shutdown.errno(), 32, "send(2)"),
        (IoError::NotConnected.errno(), 107, "send(2)"),
    ];
    for (got, want, why) in table {
        assert_eq!(got, want, "{why}");
    }
}
