//! Cases that have found something once, as they were when they did. A change of how cases are drawn leaves them alone.

use clearline_model::Transition::{self, *};

/// Which platform of `PlatformKind::ALL`, the seed of the world, and what happened.
pub(crate) type Mended = (usize, u64, &'static [Transition]);

const PROXY: usize = 0;
const ASTERISK: usize = 1;
const FREESWITCH: usize = 2;
const OPENSCAPE: usize = 3;

/// On an ordinary day.
#[rustfmt::skip]
pub(crate) const PLAIN: &[Mended] = &[
    (FREESWITCH, 3_001_995, &[
        Dial(40, 201), Unsubscribe(85), Answer(110), Hold(66, 196), Cut(100), Restart(130), Hold(114, 198),
    ]),
    (FREESWITCH, 3_003_035, &[WrongPassword(62), Subscribe(178), Restart(6), Subscribe(246)]),
    (PROXY, 3_008_653, &[
        HalfOpenUp(210), Dial(17, 62), Answer(163), Dial(23, 137), Dial(93, 6), Dial(183, 105), Tear(35), Cut(185),
        Dial(239, 79), Dial(231, 133), Hold(252, 74), Drop(163),
    ]),
    (FREESWITCH, 3_010_355, &[
        Dial(0, 145), Resume(165, 230), Answer(250), Hold(18, 162), Mute(174, 117, false), Tear(94),
        MoveMedia(207, 187), Millis(752), FailMedia(4),
    ]),
    (ASTERISK, 4_002_438, &[
        StopPlatform, Subscribe(228), StartPlatform, LeaveMessage(141), Rest, Restart(148),
    ]),
    (OPENSCAPE, 592, &[
        Dial(179, 213), Answer(161), Resume(18, 207), BlackHole(181), HangUp(207, 188),
    ]),
    (OPENSCAPE, 100_052, &[
        Dial(229, 209), Millis(544), Answer(98), Hold(176, 222), Restart(166), FailMedia(169),
    ]),
    (PROXY, 100_081, &[
        Dial(64, 42), HoldAndAnswer(143), StopPlatform, Seconds(10), NetworkChanged(83), MoveMedia(43,
        130),
    ]),
    (FREESWITCH, 100_403, &[
        Dial(212, 193), Dial(156, 62), EndAndAnswer(234), Cut(155), BlackHole(230), HangUp(228, 113),
    ]),
    (FREESWITCH, 100_903, &[
        Dial(196, 86), HoldAndAnswer(51), Answer(205), Sleep(203), HalfOpenDown(79), HangUp(104, 24),
        MoveMedia(227, 98),
    ]),
    (ASTERISK, 101_006, &[
        Dial(12, 25), Answer(179), Answer(105), HoldAndAnswer(223), HalfOpenDown(41), HangUp(236, 135),
    ]),
    (PROXY, 1265, &[
        Dial(60, 213), Mute(136, 4, true), Sleep(72), WakeUp(111),
    ]),
    (PROXY, 4718, &[
        Dial(52, 49), HoldAndAnswer(231), Answer(145), Rest, Hold(253, 116), Restart(197), Cut(3),
        Restart(136),
    ]),
    (OPENSCAPE, 202_392, &[
        Dial(86, 13), EndAndAnswer(213), Drop(6),
    ]),
    (OPENSCAPE, 202_396, &[
        Dial(104, 129), Dial(121, 200), Dial(58, 113), Dial(128, 233), HangUp(50, 131),
        HoldAndAnswer(129), HoldAndAnswer(185), Mend(235), Hold(138, 249), Resume(122, 126),
        EndAndAnswer(181), Hold(178, 162),
    ]),
    (ASTERISK, 300_066, &[
        Dial(64, 205), Seconds(28), HalfOpenDown(2), Answer(250),
    ]),
    (OPENSCAPE, 300_760, &[
        Dial(124, 170), Answer(235), Hold(179, 247), Millis(984), Sleep(80), NetworkChanged(151),
        FailMedia(32),
    ]),
    (PROXY, 302_117, &[
        NetworkChanged(223), Bad(139, 7), Millis(920), WrongPassword(231), Drop(35), Resume(221, 103),
        NetworkChanged(27), Millis(728),
    ]),
    (OPENSCAPE, 303_376, &[
        Dial(230, 80), Answer(152), Bad(56, 1), Dial(231, 196), HalfOpenDown(112), Drop(226),
    ]),
    (FREESWITCH, 304_167, &[
        Dial(34, 253), HalfOpenDown(217), HoldAndAnswer(181), Resume(243, 62),
    ]),
    (ASTERISK, 304_494, &[
        Dial(214, 96), HalfOpenDown(228), HoldAndAnswer(144), Visible(253, true),
    ]),
    (OPENSCAPE, 10_032_800, &[
        Dial(17, 154), Answer(223), Hold(39, 95), HalfOpenDown(187), FailMedia(233), Seconds(12),
    ]),
    (PROXY, 10_033_101, &[
        Seconds(6750), Drop(252), Bad(191, 2), Dial(88, 184), Mend(99), HoldAndAnswer(28),
        Seconds(4500), Sleep(247), Dial(102, 208), HoldAndAnswer(68), Hold(200, 185), Answer(159),
        StopPlatform,
    ]),
    (FREESWITCH, 463, &[
        Dial(86, 180), HoldAndAnswer(212), Seconds(17), NetworkChanged(220), FailMedia(150),
    ]),
    (ASTERISK, 478, &[
        Dial(161, 129), LeaveMessage(219), Answer(122), WrongPassword(181), DropOne(126, true),
        NetworkChanged(1), Dial(160, 14),
    ]),
    (FREESWITCH, 19, &[
        WrongPassword(235), Drop(195), NetworkChanged(123),
    ]),
    (PROXY, 17, &[
        Restart(77),
    ]),
    (PROXY, 161, &[
        Dial(50, 162), Mend(208), Resume(0, 125), Seconds(2790), Dial(245, 178), HoldAndAnswer(223),
        RightPassword(253), HangUp(41, 242), Hold(90, 250), Answer(231), Seconds(38), Dial(127, 34),
        Dial(133, 114), Rest, Dial(226, 166), Resume(47, 111), HoldAndAnswer(217), Hold(84, 163),
        NetworkChanged(11), HoldAndAnswer(251), Answer(224), Dtmf(34, 228), Dial(198, 115),
        WrongPassword(247), Drop(43), Millis(768), Mute(105, 234, false), NetworkChanged(14),
        RightPassword(254), Rest, Millis(732), Cut(187), Dial(22, 33), Dial(27, 148), Tear(150),
        HoldAndAnswer(128), Answer(27), StartPlatform, Seconds(9), Millis(216), Millis(284), Tear(248),
        Rest, Resume(38, 96), HoldAndAnswer(204), Resume(244, 73), Hold(176, 164), Hold(230, 82),
        HoldAndAnswer(57), Millis(576), WrongPassword(219), Bad(152, 8), Dial(26, 106), Mend(167),
        Seconds(15), HoldAndAnswer(51), Visible(142, false), Resume(183, 204), Dial(219, 69),
        StartPlatform,
    ]),
    (PROXY, 718, &[
        Mute(81, 74, false), Answer(228), Answer(26), HangUp(222, 246), WakeUp(22), Resume(56, 111),
        Drop(145), MoveMedia(174, 98), Restart(112), MoveMedia(214, 44), RightPassword(208),
        Millis(864), MoveMedia(218, 247), Seconds(17), HangUp(42, 255), HoldAndAnswer(112), Resume(224,
        162), HangUp(149, 117), Millis(236), Dial(4, 144), Dial(9, 34), HoldAndAnswer(161), Answer(174),
        Answer(37), Resume(70, 219), Dial(92, 221), Drop(34), Hold(254, 21), Millis(568), Millis(164),
        WrongPassword(78), FailMedia(171), Mend(184), Resume(157, 232), Mend(155), WakeUp(140), Mute(55,
        248, false), Resume(157, 191), Seconds(15), Answer(181), Decline(160, false), Drop(93),
        Drop(192), Cut(153), Dial(106, 93), Dial(218, 197), Millis(944), HoldAndAnswer(153),
        Seconds(27), StartPlatform, Answer(239), HangUp(180, 174), Resume(161, 104), Visible(98, true),
        HoldAndAnswer(146), Drop(102), NetworkChanged(13), Resume(250, 151), Decline(237, false),
        Sleep(42),
    ]),
    (PROXY, 1230, &[
        Drop(25), Resume(66, 172), Dial(10, 150), HoldAndAnswer(255), Resume(251, 105),
        NetworkChanged(102), Visible(161, false), Answer(192), Resume(71, 16), HoldAndAnswer(68),
        Millis(696), Hold(207, 99), Millis(444), Mute(17, 29, true), Drop(24), Answer(231), WakeUp(49),
        Dial(213, 250), Mend(169), MoveMedia(88, 105), Bad(93, 9), Dtmf(139, 78), Dial(217, 206),
        Answer(58), Dial(75, 251), Rest, Dial(177, 87), Drop(241), Drop(251), Hold(25, 233),
        Seconds(2040), HalfOpenDown(147), Answer(56), Restart(250), MoveMedia(55, 228), HalfOpenUp(107),
        Resume(26, 117), MoveMedia(63, 40), HoldAndAnswer(54), FailMedia(75), WakeUp(87), Millis(988),
        Millis(572), Mend(183), Dial(242, 94), Mute(70, 133, true), Drop(39), Answer(118),
        StartPlatform, Answer(153), Resume(84, 201), Dial(139, 59), HalfOpenDown(21), Bad(13, 7),
        HalfOpenUp(82), RightPassword(102), MoveMedia(128, 143), Drop(210), Visible(207, false),
        MoveMedia(220, 15),
    ]),
    (PROXY, 2642, &[
        Hold(216, 123), Dial(243, 172), Resume(52, 171), HalfOpenUp(87), HangUp(105, 53), Answer(147),
        Answer(179), Rest, Dial(44, 46), Restart(53), HoldAndAnswer(90), HalfOpenUp(28), Cut(41),
        Answer(199), Answer(2), HangUp(188, 210), Rest, HoldAndAnswer(51), HangUp(197, 229), Answer(95),
        Millis(440), Drop(133), Seconds(4), Resume(27, 2), Hold(69, 129), StopPlatform, Millis(720),
        Mend(71), Seconds(3), HangUp(22, 18), Hold(99, 141), Cut(145), Seconds(25), Millis(716),
        Resume(182, 254), StartPlatform, Dial(101, 79), WakeUp(206), Decline(163, false), Drop(29),
        Visible(149, false), Millis(660), Answer(96), HoldAndAnswer(51), Millis(720), Seconds(32),
        Cut(183), HoldAndAnswer(75), Dial(69, 3), HangUp(156, 56), Resume(75, 222), Answer(208),
        Hold(18, 187), Hold(119, 227), HalfOpenUp(244), Dial(213, 232), HangUp(33, 235), Dial(98, 98),
        Answer(128), Dtmf(197, 80),
    ]),
    (PROXY, 4008, &[
        Millis(840), Dial(55, 85), Dial(2, 124), Answer(174), Decline(82, false), Resume(242, 142),
        Hold(230, 186), Hold(64, 20), Dtmf(76, 203), Rest, Mend(47), Mute(111, 17, true), Hold(138,
        180), Dial(236, 49), Millis(208), EndAndAnswer(164), Answer(61), Hold(89, 53), Mend(170), Rest,
        MoveMedia(133, 187), Hold(21, 152), Decline(67, true), WakeUp(255), StopPlatform, WakeUp(49),
        Millis(728), Mute(182, 180, false), Restart(142), Hold(116, 118), Hold(146, 61), Decline(20,
        true), Bad(73, 3), Tear(125), Millis(452), Resume(42, 123), Hold(42, 79), Dial(255, 193), Rest,
        Dial(186, 28), Mute(89, 16, true), Sleep(240), HalfOpenDown(1), Drop(115), Resume(239, 120),
        Answer(131), Hold(5, 52), Mend(73), Resume(141, 251), Dial(39, 233), Dial(188, 86), Millis(764),
        Resume(94, 213), Bad(197, 7), Answer(24), BlackHole(173), Rest, Rest, Hold(60, 124), Answer(147),
    ]),
    (PROXY, 4136, &[
        Dial(12, 191), Dial(122, 87), Answer(199), StartPlatform, Seconds(36), Millis(364), HangUp(35,
        224), Seconds(5670), Millis(700), HangUp(246, 33), Dial(209, 131), HangUp(163, 138),
        Seconds(16), Answer(72), Drop(251), Dial(128, 69), HalfOpenDown(211), Hold(142, 171), HangUp(55,
        232), Dial(254, 108), Hold(149, 102), HoldAndAnswer(141), Seconds(30), Seconds(7350), Dial(173,
        9), Dial(185, 36), Answer(235), Millis(424), Dial(215, 203), Answer(220), Seconds(15),
        Decline(180, false), Dial(62, 26), Dial(171, 63), Dial(81, 101), Resume(116, 8), Drop(100),
        EndAndAnswer(125), Bad(57, 5), Decline(45, false), StartPlatform, Dial(9, 183), Millis(892),
        Answer(182), Restart(202), Bad(74, 8), Dial(32, 191), Answer(154), Drop(54), Restart(37),
        EndAndAnswer(212), Dial(184, 106), Seconds(6), Hold(136, 148), MoveMedia(2, 218), Hold(242, 19),
        Answer(144), Drop(69), HangUp(53, 198), Millis(908),
    ]),
    (ASTERISK, 4113, &[
        Answer(105), Dial(74, 193), Dial(80, 211), HangUp(225, 217), Restart(228), Tear(65),
        HoldAndAnswer(65), Rest, Dial(75, 123), Seconds(33), Dial(236, 201), Mend(57), StartPlatform,
        Dial(148, 133), Millis(80), Seconds(35), Answer(126), EndAndAnswer(158), Millis(168),
        MoveMedia(66, 86), HangUp(168, 84), Hold(202, 33), Decline(197, true), Hold(64, 85),
        WakeUp(186), Resume(138, 156), Dial(182, 45), Cut(164), Dial(9, 136), Dtmf(154, 122), Hold(210,
        93), Hold(27, 56), Bad(179, 8), Millis(584), Sleep(2), Answer(82), Dial(113, 50), Restart(251),
        RightPassword(82), Mend(11), Answer(125), StartPlatform, Cut(107), HangUp(208, 97),
        WrongPassword(86), HangUp(231, 44), HangUp(247, 249), Hold(126, 10), Dial(163, 214),
        HoldAndAnswer(121), RightPassword(144), Tear(233), Restart(119), Sleep(112), Resume(94, 187),
        Cut(211), Hold(161, 119), Answer(97), MoveMedia(145, 245), Seconds(35),
    ]),
    (FREESWITCH, 3002, &[
        Resume(194, 64), Dial(35, 33), Answer(173), Mend(124), Resume(99, 10), Mute(24, 221, true),
        Hold(131, 155), Dial(234, 40), Restart(1), Hold(124, 114), Millis(836), Dial(42, 157),
        HoldAndAnswer(155), Drop(93), Dial(111, 31), Hold(241, 72), Resume(203, 84), Resume(242, 219),
        Dial(159, 236), Dial(235, 28), HangUp(223, 126), Answer(225), Resume(106, 84), Seconds(0),
        Mute(9, 154, true), Rest, StartPlatform, Hold(136, 215), Dial(46, 108), Seconds(9), Mute(169,
        77, false), Mend(100), Answer(27), Dial(175, 39), Answer(104), Dial(46, 30), Mend(26), Drop(52),
        StartPlatform, Mend(252), MoveMedia(182, 189), Answer(59), Hold(206, 201), Resume(196, 188),
        Resume(40, 152), BlackHole(47), StartPlatform, Mute(46, 51, false), HalfOpenDown(4), Drop(217),
        HalfOpenUp(8), Bad(245, 6), Seconds(18), Cut(35), Mend(143), MoveMedia(88, 70), Dial(29, 157),
        Dial(116, 85), Seconds(39), Dial(91, 103),
    ]),
    (OPENSCAPE, 3521, &[
        Hold(91, 104), Dial(180, 119), Dial(25, 107), Resume(70, 194), BlackHole(167), Dial(124, 72),
        Dial(136, 132), HoldAndAnswer(157), HangUp(193, 50), StartPlatform, Dial(254, 153), Hold(160,
        134), Cut(160), Dial(138, 9), Resume(159, 100), StartPlatform, Dial(13, 178), Drop(95),
        Answer(122), Millis(940), Hold(229, 165), Millis(76), Drop(255), MoveMedia(106, 25),
        FailMedia(194), Answer(109), HangUp(225, 91), Answer(48), Seconds(2), Dial(137, 253), Hold(8,
        254), Millis(316), HangUp(64, 133), Bad(253, 1), Resume(223, 155), Resume(239, 65), Answer(53),
        HoldAndAnswer(17), Resume(235, 122), Rest, BlackHole(130), Restart(199), Answer(246),
        Answer(227), BlackHole(72), HangUp(173, 135), Resume(156, 170), Mute(36, 184, true), Drop(208),
        Dial(187, 155), Answer(143), Millis(1000), Seconds(30), Answer(166), Sleep(61), Drop(233),
        Bad(152, 9), Seconds(1440), Dial(157, 105), Seconds(16),
    ]),
    (OPENSCAPE, 10_126_356, &[
        Bad(126, 4), Dial(188, 221), Subscribe(211), Answer(162), BlackHole(129), HangUp(94, 175),
        BlackHole(136), Millis(576),
    ]),
];

/// On a busy day.
#[rustfmt::skip]
pub(crate) const BUSY: &[Mended] = &[
    (ASTERISK, 22, &[
        Dial(56, 42), Millis(880), HoldAndAnswer(151), Push(190, 224), Consult(57, 77, 225), Push(137, 222), Answer(124),
    ]),
    (OPENSCAPE, 1039, &[
        Dial(209, 156), Hold(80, 187), Answer(156), Millis(912), Consult(65, 172, 45), Millis(560), Hold(69, 210),
    ]),
    (ASTERISK, 5025, &[
        Dial(187, 129), Rest, Dial(57, 248), Consult(130, 213, 213), HoldAndAnswer(212), HoldAndAnswer(167),
        Consult(246, 0, 173), Subscribe(177), Dial(48, 97), Dial(110, 24), Answer(93), Answer(42),
        Transfer(177, 179, 2), Transfer(48, 172, 238), TransferTo(44, 235), Answer(231), Answer(123),
    ]),
    (ASTERISK, 5043, &[
        Dial(180, 134), Answer(207), Consult(24, 67, 206), Consult(201, 85, 165), Dial(187, 98), Answer(95),
        TransferTo(100, 50), Millis(320), Merge(222, 224),
    ]),
    (ASTERISK, 5282, &[
        Dial(233, 242), Answer(147), Push(164, 180), Resume(88, 75), Answer(117), TransferTo(102, 183),
        Consult(134, 65, 134), Hold(33, 239),
    ]),
    (FREESWITCH, 20_009, &[Dial(143, 117), Answer(73), Answer(250), Push(207, 194)]),
    (OPENSCAPE, 169, &[
        Dial(134, 176), Answer(24), Dial(103, 0), Transfer(51, 108, 184), HalfOpenDown(66), Answer(20), Answer(92),
        Resume(108, 91),
    ]),
    (PROXY, 191, &[
        Dial(30, 149), Cut(66), Millis(232), Millis(660), EndAndAnswer(161), Seconds(22), Millis(920), Hold(16, 203),
        Dial(218, 107),
    ]),
    (PROXY, 20_029, &[Dial(28, 21), Millis(152), Cut(56), Answer(229), Seconds(26)]),
    (PROXY, 20_069, &[
        Dial(140, 216), Resume(87, 24), Answer(96), Transfer(43, 247, 39), Merge(161, 33), SwapTo(191, 122),
        AddParticipant(92, 14, 166), CancelTransfer(238, 230), HoldAndAnswer(11),
    ]),
    (PROXY, 20_216, &[Dial(214, 246), Push(139, 137), Cut(54), HoldAndAnswer(139), Seconds(28)]),
    (PROXY, 30_357, &[
        Dial(193, 61), Millis(644), Dial(189, 227), Answer(173), Dial(142, 198), HangUp(211, 145), Answer(107),
        Pull(201, 234), Dial(189, 51), Merge(212, 5), Dial(149, 142), Answer(103), Dial(154, 109),
        AddParticipant(10, 204, 29), Consult(124, 228, 37), WrongPassword(62), Answer(209), Millis(72),
        HoldAndAnswer(189), Answer(51), Merge(8, 235), AddParticipant(152, 185, 41), Answer(174), Answer(74),
    ]),
    (ASTERISK, 30_190, &[
        Dial(203, 105), RightPassword(143), HoldAndAnswer(249), Transfer(17, 214, 96), Split(221, 44),
        HalfOpenDown(105), Dial(196, 249), HoldAndAnswer(120), Dial(95, 236),
    ]),
    (FREESWITCH, 50_000_003, &[
        Dial(159, 24), Dial(72, 14), Answer(80), Answer(203), Transfer(171, 200, 71), Consult(241, 171, 45),
        TransferTo(27, 191),
    ]),
];
