"""Every story in stories/ is a test of its own, named by its title (see story.py)."""

import pathlib

import pytest

import story

FOLDER = pathlib.Path(__file__).resolve().parent / "stories"
STORIES = [told for path in sorted(FOLDER.glob("*.story")) for told in story.read_stories(path)]


@pytest.mark.parametrize("told", STORIES, ids=[told.title for told in STORIES])
def test_story(told, tmp_path):
    assert told.steps, f"{told.place}: a story without a step proves nothing"
    teller = story.Teller(tmp_path)
    for number, step in told.steps:
        try:
            teller.tell(step)
        except (story.StoryFailed, AssertionError) as failure:
            teller.close(keep=True)
            pytest.fail(f"{told.place}: {told.title}\nline {number}: {step}\n{failure}", pytrace=False)
    teller.close()
