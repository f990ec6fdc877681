# Macros that many a configure.ac uses and the image has no package of, each with the answer for WebAssembly: gettext's
# (there are no catalogues), libltdl's, gtk-doc's, and those of the Autoconf Archive that try a flag. aclocal takes one
# only where the source defines none of its own.

# gettext

AC_DEFUN([AM_GNU_GETTEXT], [
AC_REQUIRE([AM_NLS])
USE_INCLUDED_LIBINTL=no INTLLIBS= LIBINTL= LTLIBINTL= POSUB= INTL_MACOSX_LIBS=
AC_SUBST([USE_INCLUDED_LIBINTL])
AC_SUBST([INTLLIBS])
AC_SUBST([LIBINTL])
AC_SUBST([LTLIBINTL])
AC_SUBST([POSUB])
AC_SUBST([INTL_MACOSX_LIBS])
AM_PO_SUBDIRS
])
AC_DEFUN([AM_GNU_GETTEXT_VERSION], [])
AC_DEFUN([AM_GNU_GETTEXT_REQUIRE_VERSION], [])
AC_DEFUN([AM_GNU_GETTEXT_NEED], [])
AC_DEFUN([AM_NLS], [USE_NLS=no
AC_SUBST([USE_NLS])])
AC_DEFUN([AM_PO_SUBDIRS], [MSGFMT=: GMSGFMT=: XGETTEXT=: MSGMERGE=: MSGINIT=:
AC_SUBST([MSGFMT])
AC_SUBST([GMSGFMT])
AC_SUBST([XGETTEXT])
AC_SUBST([MSGMERGE])
AC_SUBST([MSGINIT])
AC_CONFIG_COMMANDS([po-directories], [for po_folder in po */po; do
test ! -f "$po_folder/Makefile.in" || cp "$po_folder/Makefile.in" "$po_folder/Makefile"
done])])
AC_DEFUN([AM_XGETTEXT_OPTION], [])
AC_DEFUN([AM_XGETTEXT_OPTION_INIT], [])

# iconv is in libc.
AC_DEFUN([AM_ICONV_LINKFLAGS_BODY], [LIBICONV= LTLIBICONV= INCICONV=])
AC_DEFUN([AM_ICONV_LINK], [AC_REQUIRE([AM_ICONV])])
AC_DEFUN([AM_ICONV], [am_cv_func_iconv=yes am_cv_lib_iconv=no LIBICONV= LTLIBICONV=
AC_SUBST([LIBICONV])
AC_SUBST([LTLIBICONV])
AC_DEFINE([HAVE_ICONV], [1], [iconv is there])
AC_DEFINE([ICONV_CONST], [], [how iconv takes its input])])
AC_DEFUN([AM_LANGINFO_CODESET], [AC_DEFINE([HAVE_LANGINFO_CODESET], [1], [nl_langinfo(CODESET) is there])])

# libltdl

AC_DEFUN([LT_SYS_SYMBOL_USCORE], [lt_cv_sys_symbol_underscore=no sys_symbol_underscore=no
AC_SUBST([sys_symbol_underscore])])
AC_DEFUN([AC_LTDL_SYMBOL_USCORE], [LT_SYS_SYMBOL_USCORE])
AC_DEFUN([LT_FUNC_DLSYM_USCORE], [])
AC_DEFUN([LT_LIB_DLLOAD], [LIBADD_DLOPEN= LIBADD_DL=
AC_SUBST([LIBADD_DLOPEN])
AC_SUBST([LIBADD_DL])])
AC_DEFUN([AC_LTDL_DLLIB], [LT_LIB_DLLOAD])

# Documentation that nobody makes here

AC_DEFUN([GTK_DOC_CHECK], [enable_gtk_doc=no
AM_CONDITIONAL([ENABLE_GTK_DOC], [false])
AM_CONDITIONAL([HAVE_GTK_DOC], [false])
AM_CONDITIONAL([GTK_DOC_BUILD_HTML], [false])
AM_CONDITIONAL([GTK_DOC_BUILD_PDF], [false])
AM_CONDITIONAL([GTK_DOC_USE_LIBTOOL], [false])
AM_CONDITIONAL([GTK_DOC_USE_REBASE], [false])])
AC_DEFUN([GOBJECT_INTROSPECTION_CHECK], [enable_introspection=no found_introspection=no
AM_CONDITIONAL([HAVE_INTROSPECTION], [false])])

# The Autoconf Archive: flags

AC_DEFUN([AX_CHECK_COMPILE_FLAG], [
AS_VAR_PUSHDEF([answer], [ax_cv_check_[]_AC_LANG_ABBREV[]flags_$4_$1])
AC_CACHE_CHECK([whether the _AC_LANG compiler takes $1], [answer], [
ax_flags_before=$[]_AC_LANG_PREFIX[]FLAGS
_AC_LANG_PREFIX[]FLAGS="$[]_AC_LANG_PREFIX[]FLAGS -Werror $4 $1"
AC_COMPILE_IFELSE([m4_default([$5], [AC_LANG_PROGRAM()])], [AS_VAR_SET([answer], [yes])], [AS_VAR_SET([answer], [no])])
_AC_LANG_PREFIX[]FLAGS=$ax_flags_before])
AS_VAR_IF([answer], [yes], [m4_default([$2], [:])], [m4_default([$3], [:])])
AS_VAR_POPDEF([answer])])
AC_DEFUN([AX_CHECK_LINK_FLAG], [
AS_VAR_PUSHDEF([answer], [ax_cv_check_ldflags_$4_$1])
AC_CACHE_CHECK([whether the linker takes $1], [answer], [
ax_flags_before=$LDFLAGS
LDFLAGS="$LDFLAGS $4 $1"
AC_LINK_IFELSE([m4_default([$5], [AC_LANG_PROGRAM()])], [AS_VAR_SET([answer], [yes])], [AS_VAR_SET([answer], [no])])
LDFLAGS=$ax_flags_before])
AS_VAR_IF([answer], [yes], [m4_default([$2], [:])], [m4_default([$3], [:])])
AS_VAR_POPDEF([answer])])
AC_DEFUN([AX_APPEND_FLAG], [m4_default([$2], [_AC_LANG_PREFIX[]FLAGS])="$m4_default([$2], [_AC_LANG_PREFIX[]FLAGS]) $1"])
AC_DEFUN([AX_APPEND_COMPILE_FLAGS], [for ax_flag in $1; do
AX_CHECK_COMPILE_FLAG([$ax_flag], [AX_APPEND_FLAG([$ax_flag], [$2])], [], [$3], [$4])
done])
AC_DEFUN([AX_APPEND_LINK_FLAGS], [for ax_flag in $1; do
AX_CHECK_LINK_FLAG([$ax_flag], [AX_APPEND_FLAG([$ax_flag], [m4_default([$2], [LDFLAGS])])], [], [$3], [$4])
done])
AC_DEFUN([AX_REQUIRE_DEFINED], [])
AC_DEFUN([AX_PTHREAD], [PTHREAD_LIBS= PTHREAD_CFLAGS= PTHREAD_CC=$CC PTHREAD_CXX=$CXX ax_pthread_ok=yes
AC_SUBST([PTHREAD_LIBS])
AC_SUBST([PTHREAD_CFLAGS])
AC_SUBST([PTHREAD_CC])
AC_SUBST([PTHREAD_CXX])
m4_default([$1], [AC_DEFINE([HAVE_PTHREAD], [1], [POSIX threads are there])])])
AC_DEFUN([AX_CXX_COMPILE_STDCXX], [HAVE_CXX$1=1
CXX="$CXX -std=m4_if([$2], [noext], [c++], [gnu++])$1"
AC_SUBST([HAVE_CXX$1])
AC_DEFINE([HAVE_CXX$1], [1], [the compiler takes C++$1])])
AC_DEFUN([AX_CXX_COMPILE_STDCXX_11], [AX_CXX_COMPILE_STDCXX([11], [$1], [$2])])
AC_DEFUN([AX_CXX_COMPILE_STDCXX_14], [AX_CXX_COMPILE_STDCXX([14], [$1], [$2])])
AC_DEFUN([AX_CXX_COMPILE_STDCXX_17], [AX_CXX_COMPILE_STDCXX([17], [$1], [$2])])
