from mmduet.storm.ledger import FileOperations, Ledger


def test_entries_are_read_back_by_their_kind(tmp_path):
    ledger = Ledger(tmp_path / 'ledger')
    assert ledger.read() == []
    ledger.add('step', 1)
    ledger.add('saved', 1, 'iter_1.pth')
    ledger.add('step', 2)
    assert ledger.read() == [['step', '1'], ['saved', '1', 'iter_1.pth'], ['step', '2']]
    assert ledger.read('saved') == [['saved', '1', 'iter_1.pth']] and ledger.steps('step') == [1, 2]
    assert Ledger(tmp_path / 'ledger').steps('saved') == [1]


def test_something_happens_at_one_point_alone(tmp_path):
    seen = []
    operations = FileOperations(Ledger(tmp_path / 'ledger'), 2, seen.append)
    for name in ('a', 'b', 'c'):
        operations.point(name)
    assert seen == ['b'] and operations.count == 3
