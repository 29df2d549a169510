use crate::client::{check, check_as_alice, plaintext};

#[test]
fn capabilities_follow_the_state_of_the_connection() {
    check(
        &plaintext(),
        "
        C: CAPA
        S: +OK
        S: TOP
        S: UIDL
        S: RESP-CODES
        S: AUTH-RESP-CODE
        S: PIPELINING
        S: EXPIRE NEVER
        S: STLS
        S: .",
    );
    check_as_alice(
        "
        C: capa
        S: +OK
        S: TOP
        S: UIDL
        S: RESP-CODES
        S: AUTH-RESP-CODE
        S: PIPELINING
        S: EXPIRE NEVER
        S: USER
        S: SASL PLAIN
        S: .",
    );
}
