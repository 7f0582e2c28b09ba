import os

from mmduet.engine.resume import resume_candidates


def make(folder, name, time):
    path = folder / name
    path.write_text('x')
    os.utime(path, (time, time))
    return path


def test_the_file_that_the_pointer_names_comes_first_and_best_is_no_candidate(tmp_path):
    one, two = make(tmp_path, 'epoch_1.pth', 100), make(tmp_path, 'iter_70.pth', 200)
    make(tmp_path, 'best_acc@0.5_epoch_1.pth', 300)
    pointer = tmp_path / 'last_checkpoint'
    pointer.write_text('/moved/from/elsewhere/epoch_1.pth')
    os.utime(pointer, (250, 250))
    assert resume_candidates(tmp_path) == [one, two]


def test_a_checkpoint_written_after_the_pointer_comes_before_it(tmp_path):
    one, two = make(tmp_path, 'epoch_1.pth', 100), make(tmp_path, 'epoch_2.pth', 200)
    pointer = tmp_path / 'last_checkpoint'
    pointer.write_text('epoch_1.pth')
    os.utime(pointer, (101, 101))
    assert resume_candidates(tmp_path) == [two, one]


def test_without_a_pointer_the_last_written_comes_first(tmp_path):
    one, two = make(tmp_path, 'epoch_10.pth', 100), make(tmp_path, 'epoch_9.pth', 200)
    assert resume_candidates(tmp_path) == [two, one]


def test_an_empty_folder_has_no_candidate(tmp_path):
    assert resume_candidates(tmp_path) == []
