//! A client and a server that the test plays itself.

use smoltcp::wire::{
    DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr,
    Ipv4Packet, UdpPacket,
};

use super::*;
use crate::limits::LEASE_S_MIN;
use crate::net::ethernet;

const MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 1, 0x0a]);
const SERVER_MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 1, 0xfe]);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);
const GIVEN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 42);

/// A question as the server reads it.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    kind: DhcpMessageType,
    transaction: u32,
    own: Ipv4Addr,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    to: Mac,
}

fn asked(frame: &[u8]) -> Asked {
    let parts = ethernet::parse(frame).unwrap();
    let packet = Ipv4Packet::new_checked(parts.payload).unwrap();
    assert!(packet.verify_checksum());
    let (from, to) = (packet.src_addr().into(), packet.dst_addr().into());
    let udp = UdpPacket::new_checked(packet.payload()).unwrap();
    assert!(udp.verify_checksum(&from, &to));
    let packet = DhcpPacket::new_checked(udp.payload()).unwrap();
    let question = DhcpRepr::parse(&packet).unwrap();
    Asked {
        kind: question.message_type,
        transaction: question.transaction_id,
        own: question.client_ip,
        requested: question.requested_ip,
        server: question.server_identifier,
        to: parts.destination,
    }
}

fn answer(kind: DhcpMessageType, transaction: u32, seconds: u32) -> Vec<u8> {
    let time = [10, 77, 0, 253, 10, 77, 0, 252];
    let times = DhcpOption { kind: 42, data: &time };
    let message = DhcpRepr {
        message_type: kind,
        transaction_id: transaction,
        secs: 0,
        client_hardware_address: MAC.wire(),
        client_ip: Ipv4Addr::UNSPECIFIED,
        your_ip: GIVEN,
        server_ip: SERVER,
        router: Some(SERVER),
        subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        relay_agent_ip: Ipv4Addr::UNSPECIFIED,
        broadcast: false,
        requested_ip: None,
        client_identifier: None,
        server_identifier: Some(SERVER),
        parameter_request_list: None,
        dns_servers: None,
        max_size: None,
        lease_duration: Some(seconds),
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[times],
    };
    let (server, client) = ((SERVER, DHCP_SERVER_PORT), (GIVEN, DHCP_CLIENT_PORT));
    message::frame(SERVER_MAC, MAC, server, client, &message)
}

struct Play {
    now: Instant,
    client: Client,
}

impl Play {
    fn new(kept: Option<(Lease, u32)>) -> Play {
        let now = Instant::now();
        Play { now, client: Client::new(now, MAC, 7, kept) }
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.client.poll()).collect()
    }

    /// The one question that it asks now.
    fn question(&mut self) -> Asked {
        match self.outputs().as_slice() {
            [Output::Send(frame)] => asked(frame),
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, kind: DhcpMessageType, transaction: u32, seconds: u32) {
        let frame = answer(kind, transaction, seconds);
        self.client.handle(self.now, Input::Frame(&frame));
    }

    /// To the next deadline.
    fn wait(&mut self) -> Duration {
        let deadline = self.client.deadline().expect("it always waits for something");
        let waited = deadline - self.now;
        self.now = deadline;
        self.client.handle(self.now, Input::Tick);
        waited
    }

    fn bind(&mut self) -> Lease {
        let discover = self.question();
        assert_eq!(discover.kind, DhcpMessageType::Discover);
        self.answer(DhcpMessageType::Offer, discover.transaction, 3600);
        let request = self.question();
        assert_eq!(request.kind, DhcpMessageType::Request);
        assert_eq!((request.requested, request.server), (Some(GIVEN), Some(SERVER)));
        self.answer(DhcpMessageType::Ack, request.transaction, 3600);
        match self.outputs().as_slice() {
            [Output::Bound(lease)] => lease.clone(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_address_is_given() {
    let lease = Play::new(None).bind();
    assert_eq!(lease.address.to_string(), "10.77.0.42/24");
    assert_eq!(lease.gateways, [SERVER]);
    assert_eq!(lease.time_servers, [Ipv4Addr::new(10, 77, 0, 253), Ipv4Addr::new(10, 77, 0, 252)]);
    assert_eq!((lease.seconds, lease.renew_seconds, lease.rebind_seconds), (3600, 1800, 3150));
}

#[test]
fn questions_without_an_answer_grow_rarer() {
    let mut play = Play::new(None);
    let first = play.question();
    let mut waits = Vec::new();
    for _ in 0..5 {
        waits.push(play.wait());
        assert_eq!(play.question(), first, "the same question");
    }
    assert!(waits.is_sorted(), "{waits:?}");
    assert!(waits[0] >= DHCP_AGAIN_AFTER && waits[4] < Duration::from_secs(60), "{waits:?}");
}

#[test]
fn a_lease_is_renewed_with_its_server_then_with_any_and_then_ends() {
    let mut play = Play::new(None);
    play.bind();
    assert_eq!(play.wait(), Duration::from_secs(1800));
    let renew = play.question();
    assert_eq!((renew.own, renew.requested, renew.to), (GIVEN, None, SERVER_MAC));
    play.answer(DhcpMessageType::Ack, renew.transaction, 3600);
    assert!(matches!(play.outputs().as_slice(), [Output::Bound(_)]), "renewed");

    assert_eq!(play.wait(), Duration::from_secs(1800), "from the renewal on");
    let mut asked_whom = Vec::new();
    let mut passed = Duration::ZERO;
    loop {
        for output in play.outputs() {
            match output {
                Output::Send(frame) => asked_whom.push(asked(&frame).to),
                Output::Lost => {
                    assert_eq!(passed, Duration::from_secs(1800), "to its last second");
                    asked_whom.dedup();
                    assert_eq!(asked_whom, [SERVER_MAC, Mac::BROADCAST]);
                    return;
                }
                Output::Bound(lease) => panic!("{lease:?}"),
            }
        }
        passed += play.wait();
    }
}

#[test]
fn a_kept_lease_is_used_at_once_and_asked_for_again() {
    let lease = Play::new(None).bind();
    let mut play = Play::new(Some((lease.clone(), 1000)));
    let outputs = play.outputs();
    let [Output::Bound(kept), Output::Send(frame)] = outputs.as_slice() else {
        panic!("{outputs:?}")
    };
    assert_eq!((kept.address, kept.seconds), (lease.address, 1000));
    let again = asked(frame);
    assert_eq!((again.requested, again.server), (Some(GIVEN), None), "RFC 2131 §4.3.2");
    play.answer(DhcpMessageType::Nak, again.transaction, 0);
    assert!(matches!(play.outputs().as_slice(), [Output::Lost, Output::Send(_)]), "starts over");

    let mut silent = Play::new(Some((lease.clone(), 1000)));
    let start = silent.now;
    while !silent.outputs().contains(&Output::Lost) {
        silent.wait();
    }
    let lasted = (silent.now - start).as_secs();
    assert!((999..=1000).contains(&lasted), "{lasted} s without any server");

    let mut ended = Play::new(Some((lease, 0)));
    assert_eq!(ended.question().requested, Some(GIVEN), "asked for, but not used before");
}

#[test]
fn an_address_that_somebody_has_is_declined() {
    let mut play = Play::new(None);
    play.bind();
    play.client.handle(play.now, Input::InUse);
    let outputs = play.outputs();
    let [Output::Send(frame), Output::Lost] = outputs.as_slice() else { panic!("{outputs:?}") };
    let decline = asked(frame);
    assert_eq!((decline.kind, decline.requested), (DhcpMessageType::Decline, Some(GIVEN)));
    assert_eq!(play.wait(), DHCP_DECLINED_WAIT);
    assert_eq!(play.question().kind, DhcpMessageType::Discover);
}

#[test]
fn a_cable_that_was_out_is_no_reason_to_trust_the_lease() {
    let mut play = Play::new(None);
    play.bind();
    play.client.handle(play.now, Input::Reconnected);
    let again = play.question();
    assert_eq!((again.kind, again.requested), (DhcpMessageType::Request, Some(GIVEN)));
    play.answer(DhcpMessageType::Ack, again.transaction, 60);
    assert!(matches!(play.outputs().as_slice(), [Output::Bound(_)]));
}

#[test]
fn answers_to_others_and_nonsense_are_nothing() {
    let mut play = Play::new(None);
    let discover = play.question();
    play.answer(DhcpMessageType::Offer, discover.transaction + 1, 3600);
    let good = answer(DhcpMessageType::Offer, discover.transaction, 3600);
    for length in 0..good.len() {
        let _ = message::read(&good[..length], MAC, discover.transaction); // and never a panic
    }
    play.client.handle(play.now, Input::Frame(&good[..100]));
    assert_eq!(play.outputs(), []);
    assert!(message::read(&good, SERVER_MAC, discover.transaction).is_none(), "another's");
    play.client.handle(play.now, Input::Frame(&good));
    assert_eq!(play.question().kind, DhcpMessageType::Request);
}

#[test]
fn times_that_make_no_sense_are_replaced() {
    assert_eq!(times(800, None, None), (800, 400, 700));
    assert_eq!(times(800, Some(100), Some(600)), (800, 100, 600));
    assert_eq!(times(800, Some(900), Some(900)), (800, 400, 700));
    assert_eq!(times(u32::MAX, None, None).0, LEASE_S_MAX);
    let hasty = answer(DhcpMessageType::Offer, 1, LEASE_S_MIN - 1);
    assert_eq!(message::read(&hasty, MAC, 1).unwrap().lease, None, "would only be renewed");
}
