import pickle

from mmduet.datasets.grouped_index import GroupedIndex, group_of


def test_an_index_is_a_number_that_knows_its_group():
    index = GroupedIndex(5, (3, 5, 8))
    assert index == 5 and index + 1 == 6 and ['a', 'b', 'c', 'd', 'e', 'f'][index] == 'f' and hash(index) == hash(5)
    assert group_of(index) == (3, 5, 8) and group_of(5) == (5, )


def test_it_travels_to_a_worker_with_its_group():
    back = pickle.loads(pickle.dumps([GroupedIndex(5, (3, 5)), 7]))
    assert back == [5, 7] and [group_of(index) for index in back] == [(3, 5), (7, )]
