;; SPDX-License-Identifier: GPL-2.0
;; compile.scm THREADS UNITS FILE...: compile UNITS files, from the beginning of
;; the list again where it is too short, each thread the same ones in every run.
(use-modules (ice-9 threads) (srfi srfi-1) (system base compile))

(define threads (string->number (second (command-line))))
(define units (string->number (third (command-line))))
(define files (apply circular-list (drop (command-line) 3)))

(define (compile-one file)
  (call-with-input-file (string-append "/usr/share/guile/3.0/" file ".scm")
    (lambda (port)
      (read-and-compile port #:env (make-fresh-user-module) #:to 'bytecode))))

(define (work thread)
  (for-each (lambda (unit file)
              (if (= thread (modulo unit threads)) (compile-one file)))
            (iota units) files))

(for-each join-thread
          (map (lambda (thread) (call-with-new-thread (lambda () (work thread))))
               (iota threads)))
(format #t "count collections ~a\n" (assq-ref (gc-stats) 'gc-times))
