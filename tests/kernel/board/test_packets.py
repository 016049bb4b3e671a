"""Packets: whatever stands around them, they arrive; whatever is damaged in them, they do not."""

from bskernel.board.packets import SYNC, Packet, PacketReader, encode
from hypothesis import assume, given
from hypothesis import strategies as st

MOST = 300
packets = st.builds(
    Packet,
    kind=st.sampled_from("ifrtcdlu"),
    number=st.integers(0, 255),
    payload=st.binary(max_size=40) | st.just(SYNC * 10),
)


def read(data: bytes, size: int) -> list[Packet]:
    reader = PacketReader(MOST)
    return [packet for at in range(0, len(data), size) for packet in reader.feed(data[at : at + size])]


@given(packets, st.integers(1, 60))
def test_a_packet_arrives_in_pieces_of_any_size(packet: Packet, size: int) -> None:
    assert read(encode(packet), size) == [packet]


@given(st.lists(packets, min_size=1, max_size=4), st.binary(max_size=30), st.integers(1, 60))
def test_packets_arrive_behind_and_between_bytes_that_are_none(sent: list[Packet], noise: bytes, size: int) -> None:
    assume(SYNC[:1] not in noise)
    data = b"".join(noise + encode(packet) for packet in sent)
    assert read(data, size) == sent


@given(packets, st.binary(max_size=30))
def test_a_packet_arrives_behind_noise_that_looks_like_a_packet(packet: Packet, noise: bytes) -> None:
    """What looks like the beginning of a packet is given up when its checksum is wrong, and what it hid is found."""
    behind = bytes(MOST + 20)
    assert packet in read(noise + SYNC + noise + encode(packet) + behind, 16)


@given(packets, st.data())
def test_a_packet_with_a_changed_bit_does_not_arrive(packet: Packet, data: st.DataObject) -> None:
    sent = bytearray(encode(packet))
    bit = data.draw(st.integers(0, 8 * len(sent) - 1))
    sent[bit // 8] ^= 1 << bit % 8
    assert packet not in read(bytes(sent), 16)


@given(packets, st.data())
def test_a_packet_that_lost_a_byte_does_not_arrive_but_the_next_one_does(packet: Packet, data: st.DataObject) -> None:
    sent = encode(packet)
    lost = data.draw(st.integers(0, len(sent) - 1))
    following = Packet(kind="F", number=7, payload=b"next")
    got = read(sent[:lost] + sent[lost + 1 :] + encode(following) + bytes(MOST + 20), 16)
    assert following in got
    assert packet not in got or packet == following


def test_the_checksum_is_the_published_one() -> None:
    """CRC-16/IBM-3740 of "123456789" is 0x29B1: the catalogue of parametrised CRC algorithms."""
    packet = Packet(kind="1", number=ord("2"), payload=b"")
    assert encode(packet)[:7] == SYNC + b"12" + bytes(3)
    import binascii

    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1
