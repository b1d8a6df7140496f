"""The partitioner."""

from streams.partitions import partition_of


def test_the_partitioner_is_the_one_of_java_and_aiokafka() -> None:
    # murmur2 of the Java client's own test (UtilsTest.testMurmur2): "21" is -973932308
    assert partition_of(b"21", 2**31) == (-973932308) & 0x7FFFFFFF
