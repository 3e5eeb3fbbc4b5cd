"""Draw the links of a corpus: music by mood, watches and, if asked for, listens by taste, friends of near tastes."""

import numpy as np

from mmgraph.corpus.truth import Link, Mood, Piece, User, Video

YEAR_START_S = 1_704_067_200  # 2024-01-01, UTC
YEAR_S = 366 * 86_400
MUSIC_EACH = 5
MUSIC_NEAREST = 7
MOOD_NOISE = 0.02
BY_MOOD, BY_CATEGORY = 0.45, 0.25  # of a user's watches; the others are by chance
MOOD_REACH = 0.15
LISTENS_BY_MOOD = 0.7  # of a user's listens; the others are by chance


def _distances(some: list[Mood], others: list[Mood]) -> np.ndarray:
    left = np.array([(mood.valence, mood.arousal) for mood in some]).reshape(-1, 1, 2)
    right = np.array([(mood.valence, mood.arousal) for mood in others]).reshape(1, -1, 2)
    return np.linalg.norm(left - right, axis=2)


def set_to(videos: tuple[Video, ...], music: tuple[Piece, ...], chance: np.random.Generator) -> list[Link]:
    """Five of the seven pieces whose mood is nearest to a video's."""
    distances = _distances([video.mood for video in videos], [piece.mood for piece in music])
    distances = distances + chance.normal(0, MOOD_NOISE, size=distances.shape)
    links = []
    for video, row in zip(videos, distances, strict=True):
        near = np.argsort(row)[:MUSIC_NEAREST]
        chosen = chance.choice(near, size=min(MUSIC_EACH, len(near)), replace=False)
        links += [Link(video.path, "set_to", music[piece].path) for piece in chosen]
    return links


def watches(users: tuple[User, ...], videos: tuple[Video, ...], chance: np.random.Generator) -> list[Link]:
    """Each user's 8-16 videos, by mood, by favourite category or by chance, at times spread over one year."""
    distances = _distances([user.mood for user in users], [video.mood for video in videos])
    categories = np.array([video.category for video in videos])
    links = []
    for user, row in zip(users, distances, strict=True):
        near = np.exp(-0.5 * (row / MOOD_REACH) ** 2)
        liked = (categories == user.category).astype(float)
        taste = (1 - BY_MOOD - BY_CATEGORY) / len(videos) + BY_MOOD * near / near.sum()
        taste += BY_CATEGORY * liked / max(liked.sum(), 1.0)
        count = min(int(chance.integers(8, 17)), len(videos))
        seen = chance.choice(len(videos), size=count, replace=False, p=taste / taste.sum())
        times = YEAR_START_S + chance.integers(YEAR_S, size=count)
        parts = np.clip(chance.normal(0.6, 0.2, size=count), 0.1, 1.0).round(2)
        drawn = zip(seen, times, parts, strict=True)
        links += [Link(user.id, "watched", videos[video].path, int(time), float(part)) for video, time, part in drawn]
    return links


def listens(users: tuple[User, ...], music: tuple[Piece, ...], chance: np.random.Generator) -> list[Link]:
    """Each user's 6-12 pieces, by mood or by chance, at times spread over one year."""
    if not music:
        return []
    distances = _distances([user.mood for user in users], [piece.mood for piece in music])
    links = []
    for user, row in zip(users, distances, strict=True):
        near = np.exp(-0.5 * (row / MOOD_REACH) ** 2)
        taste = (1 - LISTENS_BY_MOOD) / len(music) + LISTENS_BY_MOOD * near / near.sum()
        count = min(int(chance.integers(6, 13)), len(music))
        heard = chance.choice(len(music), size=count, replace=False, p=taste / taste.sum())
        times = YEAR_START_S + chance.integers(YEAR_S, size=count)
        links += [Link(user.id, "listens", music[piece].path, int(time)) for piece, time in zip(heard, times, strict=True)]
    return links


def friends(users: tuple[User, ...], chance: np.random.Generator) -> list[Link]:
    """Each user befriends 2-4 of the twelve users of nearest taste; a pair stands once, in either direction."""
    moods = [user.mood for user in users]
    categories = np.array([user.category for user in users])
    distances = _distances(moods, moods) + 0.2 * (categories[:, None] != categories[None, :])
    np.fill_diagonal(distances, np.inf)
    pairs: dict[frozenset[int], tuple[int, int]] = {}
    for user, row in enumerate(distances):
        near = [int(other) for other in np.argsort(row)[:12] if other != user]
        for other in chance.permutation(near)[: chance.integers(2, 5)]:
            pairs.setdefault(frozenset((user, int(other))), (user, int(other)))
    return [Link(users[source].id, "friend_of", users[target].id) for source, target in pairs.values()]
