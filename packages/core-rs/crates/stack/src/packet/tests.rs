use super::*;

fn header(options: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 20];
    header.extend_from_slice(options);
    header[12] = u8::try_from(header.len() / 4).expect("short") << 4;
    header
}

#[test]
fn options_are_found_or_not() {
    let table: [(&[u8], Option<usize>, &str); 7] = [
        (&[2, 4, 5, 180], Some(22), "first"),
        (
            &[1, 1, 1, 1, 2, 4, 5, 180],
            Some(26),
            "behind no-operations",
        ),
        (&[3, 3, 7, 1, 2, 4, 5, 180], Some(26), "behind another"),
        (&[0, 0, 0, 0, 2, 4, 5, 180], None, "behind the end"),
        (&[2, 0, 0, 0], None, "length 0"),
        (&[2, 40, 5, 180], None, "length beyond the header"),
        (&[2, 3, 5, 0], None, "a wrong length"),
    ];
    for (options, want, why) in table {
        assert_eq!(mss_at(&header(options)), want, "{why}");
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let mut short = header(&[]);
    short[12] = 4 << 4;
    assert!(TcpView::parse(&short).is_none(), "header below 20 bytes");
    short[12] = 6 << 4;
    assert!(
        TcpView::parse(&short).is_none(),
        "header beyond the segment"
    );
    assert!(TcpView::parse(&short[..19]).is_none());
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut packet = Vec::new();
    build::ip_header(&mut packet, ip, ip, TCP, 64, 100);
    assert!(IpView::parse(&packet).is_none(), "stated longer than it is");
    assert!(IpView::parse_quoted(&packet).is_some());
    let ip = IpAddr::V6(Ipv6Addr::LOCALHOST);
    packet.clear();
    build::ip_header(&mut packet, ip, ip, TCP, 64, 100);
    assert!(IpView::parse(&packet).is_none());
    packet.resize(140, 0);
    assert_eq!(
        IpView::parse(&packet).map(|ip| ip.payload().len()),
        Some(100)
    );
}
