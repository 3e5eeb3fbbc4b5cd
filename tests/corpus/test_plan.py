"""The hidden truth: what categories share, how stories go, whom moods bring together."""

import collections
import dataclasses
import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from mmgraph.corpus import CATEGORIES, ROLES, CorpusSize, look_of, plan, sound_of, words_of
from mmgraph.errors import SettingsError


@pytest.fixture(scope="module")
def whole():
    return plan(7)


def test_the_smallest_corpus_has_one_video_and_nothing_else():
    drawn = plan(0, CorpusSize(videos=1, images=0, music=0, texts=0, users=0))
    assert len(drawn.videos) == 1
    assert drawn.links == ()
    assert len(drawn.broken) == 4


def test_one_of_each():
    drawn = plan(0, CorpusSize(videos=1, images=1, music=1, texts=1, users=1))
    assert collections.Counter(link.relation for link in drawn.links if link.relation != "still_from")["watched"] == 1
    assert "friend_of" not in {link.relation for link in drawn.links}


@pytest.mark.parametrize(("kind", "count"), [("videos", 0), ("users", -1)])
def test_too_few_are_refused(kind, count):
    with pytest.raises(SettingsError, match=f"cannot have so few {kind}; given: {count}"):
        CorpusSize(**{kind: count})


def test_a_negative_seed_is_refused():
    with pytest.raises(SettingsError, match="a seed cannot be negative; given: -1"):
        plan(-1)


def test_every_category_shares_each_modality_with_one_other_and_never_the_same():
    for category in range(len(CATEGORIES)):
        partners = [
            {other for other in range(len(CATEGORIES)) if other != category and of(other) == of(category)}
            for of in (look_of, sound_of, words_of)
        ]
        assert [len(partner) for partner in partners] == [1, 1, 1]
        assert len(set.union(*partners)) == 3


def test_two_modalities_together_tell_the_category():
    for one, other in itertools.combinations((look_of, sound_of, words_of), 2):
        assert len({(one(category), other(category)) for category in range(len(CATEGORIES))}) == 8


def test_default_counts_suffice_and_categories_are_balanced(whole):
    assert len(whole.videos) >= 60
    assert len(whole.images) >= 80
    assert len(whole.music) >= 60
    assert len(whole.texts) >= 120
    assert len(whole.users) >= 200
    assert set(collections.Counter(video.category for video in whole.videos).values()) == {15}


def test_shots_tile_their_video_and_keep_their_limits(whole):
    counts = [len(video.shots) for video in whole.videos]
    assert min(counts) == 3
    assert max(counts) == 8
    assert 5.5 < np.mean(counts) < 6.5
    for video in whole.videos:
        assert 10 <= video.end_s <= 30
        assert video.shots[0].start_s == 0
        for shot, following in itertools.pairwise(video.shots):
            assert shot.end_s == pytest.approx(following.start_s)
        for shot in video.shots:
            assert 2.2 - 1e-9 <= shot.end_s - shot.start_s <= 4.5 + 1e-9


def test_about_half_of_the_shots_are_neutral_and_none_shows_another_category(whole):
    for of, name in ((look_of, "look"), (sound_of, "sound")):
        shown = [(getattr(shot, name), of(video.category)) for video in whole.videos for shot in video.shots]
        assert {own for seen, own in shown if seen is not None and seen != own} == set()
        assert 0.5 < np.mean([seen is not None for seen, _ in shown]) < 0.65
        assert all(any(getattr(shot, name) is not None for shot in video.shots) for video in whole.videos)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_stories_walk_along_the_grammar(seed):
    drawn = plan(seed, CorpusSize(videos=30, images=0, music=0, texts=0, users=0))
    assert sorted(drawn.grammar) == list(range(len(ROLES)))
    steps = []
    for video in drawn.videos:
        roles = [shot.role for shot in video.shots]
        assert len(set(roles)) == len(roles)
        places = [drawn.grammar.index(role) for role in roles]
        steps += [(after - before) % len(ROLES) for before, after in itertools.pairwise(places)]
        assert {shot.palette.lift for shot in video.shots[::2]} != {shot.palette.lift for shot in video.shots[1::2]}
    assert set(steps) <= {1, 2}
    assert np.mean(np.array(steps) == 1) > 0.85


def test_music_is_among_the_nearest_by_mood_and_not_by_category(whole):
    pieces = {piece.path: piece for piece in whole.music}
    ranks, count = [], collections.Counter()
    for video in whole.videos:
        order = sorted(pieces, key=lambda path, mood=video.mood: pieces[path].mood.distance(mood))
        chosen = [link.target for link in whole.links if link.relation == "set_to" and link.source == video.path]
        assert len(set(chosen)) == 5
        count.update(chosen)
        ranks += [order.index(path) for path in chosen]
    assert np.mean(ranks) < 5
    assert max(ranks) < 14
    moods = np.array([(video.mood.valence, video.mood.arousal) for video in whole.videos])
    by_category = [moods[[video.category == c for video in whole.videos]].mean(0) for c in range(8)]
    assert np.abs(np.array(by_category) - 0.5).max() < 0.25


def test_watches_are_many_dated_and_follow_taste_only_in_part(whole):
    videos = {video.path: video for video in whole.videos}
    users = {user.id: user for user in whole.users}
    watches = [link for link in whole.links if link.relation == "watched"]
    each = collections.Counter(link.source for link in watches)
    assert set(each) == set(users)
    assert min(each.values()) >= 8
    assert max(each.values()) <= 16
    assert len({(link.source, link.target) for link in watches}) == len(watches)
    assert max(link.time for link in watches) - min(link.time for link in watches) < 366 * 86_400
    favourite = np.mean([users[link.source].category == videos[link.target].category for link in watches])
    assert 0.2 < favourite < 0.45
    near = np.mean([users[link.source].mood.distance(videos[link.target].mood) for link in watches])
    far = np.mean([user.mood.distance(video.mood) for user in whole.users for video in whole.videos])
    assert near < 0.8 * far


def test_what_users_listen_to_is_added_and_changes_nothing_else(whole):
    more = plan(7, listening=True)
    listens = [link for link in more.links if link.relation == "listens"]
    assert dataclasses.replace(more, links=more.links[: -len(listens)]) == whole
    pieces, users = {piece.path: piece for piece in whole.music}, {user.id: user for user in whole.users}
    each = collections.Counter(link.source for link in listens)
    assert set(each) == set(users) and min(each.values()) >= 6 and max(each.values()) <= 12
    assert len({(link.source, link.target) for link in listens}) == len(listens)
    near = np.mean([users[link.source].mood.distance(pieces[link.target].mood) for link in listens])
    far = np.mean([user.mood.distance(piece.mood) for user in whole.users for piece in whole.music])
    assert near < 0.7 * far
    assert plan(7, CorpusSize(videos=1, images=0, music=0, texts=0, users=2), listening=True).links


def test_friends_have_near_tastes_and_stand_once(whole):
    users = {user.id: user for user in whole.users}
    pairs = [(link.source, link.target) for link in whole.links if link.relation == "friend_of"]
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    assert all(source != target for source, target in pairs)
    near = np.mean([users[source].mood.distance(users[target].mood) for source, target in pairs])
    assert near < 0.25


def test_some_items_stand_alone(whole):
    linked = {
        end for link in whole.links for end in (link.source, link.target) if link.relation in ("still_from", "describes")
    }
    for planned in (whole.images, whole.texts, whole.videos):
        assert 0 < sum(one.path not in linked for one in planned) < len(planned) / 2


def test_names_tell_nothing(whole):
    paths = [one.path for kind in (whole.videos, whole.images, whole.music, whole.texts) for one in kind] + list(whole.broken)
    assert len({path.split("/")[1].split(".")[0] for path in paths}) == len(paths)
    assert all(re.fullmatch(r"(videos|images|music|texts)/[0-9a-f]{6}\.(mp4|png|jpg|ogg|wav|txt)", path) for path in paths)
    table = np.zeros((4, 8), dtype=int)
    for video in whole.videos:
        table[int(video.path.split("/")[1][0], 16) // 4, video.category] += 1
    assert chi2_contingency(table).pvalue > 0.01


def test_the_same_seed_gives_the_same_plan_and_another_another(whole):
    assert plan(7) == whole
    assert plan(8) != whole
