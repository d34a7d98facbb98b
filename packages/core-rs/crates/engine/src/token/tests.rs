use super::*;

#[test]
fn every_token_survives_packing() {
    let key = SocketKey {
        slot: 0xffff_fffe,
        serial: SocketKey::SERIAL_MASK,
    };
    for token in [
        Token::Waker,
        Token::Rpc,
        Token::Link,
        Token::Channel(SessionId(u32::MAX)),
        Token::Stream(key),
        Token::Wait(SocketKey { slot: 0, serial: 1 }),
    ] {
        assert_eq!(Token::unpack(token.pack()), Some(token));
    }
    assert_eq!(Token::unpack(7 << 61), None);
}
