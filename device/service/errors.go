package service

import "errors"

// Reasons why something was not done. Too many wrong PINs end with *access.TooManyError, which says how long to wait,
// and a new PIN that is easy to guess with access.ErrWeakPIN.
var (
	ErrSittingOpen    = errors.New("a sitting is open")
	ErrNothingOffered = errors.New("no stick offers this")
	ErrWrongPIN       = errors.New("the owner's PIN is wrong")
	ErrNotLocal       = errors.New("the first PIN of the owner is set at the box itself")
	ErrOwnerSet       = errors.New("the owner's PIN is set already")
	ErrNoOwner        = errors.New("the owner's PIN has not been set")
	ErrConfirm        = errors.New("this is not the name of the box")
	ErrBusy           = errors.New("an update, a setup or a reset is under way")
	ErrAbsent         = errors.New("the part of the box that does this does not answer")
)
